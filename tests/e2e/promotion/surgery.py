"""More ways to spoil a network, for the full proof: each is signed and says of itself what it answers."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from tests.e2e.promotion.candidates import Surgery

# Its place among the bundled release's findings.
PNEUMONIA = 6
# Rows of matrices whose product takes nearly as long as a film does in the bundled network.
DEAR = 640


def logits(model: onnx.ModelProto) -> str:
    """Take the name `logits` from what made it, and give the name that it has now."""
    for node in model.graph.node:
        for place, name in enumerate(node.output):
            if name == "logits":
                node.output[place] = "logits_before"
    return "logits_before"


def add(model: onnx.ModelProto, *nodes: onnx.NodeProto, **constants: np.ndarray) -> None:
    model.graph.node.extend(nodes)
    model.graph.initializer.extend(numpy_helper.from_array(value, name) for name, value in constants.items())


def one_finding_worse(model: onnx.ModelProto) -> None:
    """Good in the mean, and Pneumonia the wrong way round."""
    before = logits(model)
    width = model.graph.output[0].type.tensor_type.shape.dim[1].dim_value
    sign = np.ones(width, np.float32)
    sign[PNEUMONIA] = -1
    add(model, helper.make_node("Mul", [before, "sign"], ["logits"]), sign=sign)


def work(model: onnx.ModelProto, side: int) -> str:
    """A product of matrices of `side` rows for each call, however many films it holds; the name of a number, nought."""
    square = np.random.default_rng(5).normal(size=(side, side)).astype(np.float32) / np.float32(side**0.5)
    add(
        model,
        helper.make_node("ReduceMean", ["film"], ["light"], keepdims=0),
        helper.make_node("Mul", ["square", "light"], ["work_0"]),
        helper.make_node("MatMul", ["work_0", "square"], ["work_1"]),
        helper.make_node("MatMul", ["work_1", "square"], ["work_2"]),
        helper.make_node("ReduceMean", ["work_2"], ["worked"], keepdims=0),
        helper.make_node("Mul", ["worked", "nothing"], ["added"]),
        square=square,
        nothing=np.float32(0.0),
    )
    return "added"


def slow(model: onnx.ModelProto) -> None:
    """Several times slower: a product of large matrices that depends on the film and adds nothing."""
    before = logits(model)
    add(model, helper.make_node("Add", [before, work(model, 1600)], ["logits"]))


def eight_at_once(model: onnx.ModelProto) -> None:
    """Good for a film at a time, and for the eight that a service tries at its start; refuses a fuller call.

    A table of eight places, as a network has that was exported for a fixed batch. Each call has a price of its own, so
    that a service under load combines films.
    """
    before = logits(model)
    add(
        model,
        helper.make_node("Shape", ["film"], ["shape_of_film"]),
        helper.make_node("Gather", ["shape_of_film", "first"], ["films"]),
        helper.make_node("Sub", ["films", "one_less"], ["last_film"]),
        helper.make_node("Gather", ["eight_places", "last_film"], ["placed"]),
        helper.make_node("Add", ["placed", work(model, DEAR)], ["of_call"]),
        helper.make_node("Add", [before, "of_call"], ["logits"]),
        first=np.array(0, np.int64),
        one_less=np.array(1, np.int64),
        eight_places=np.zeros(8, np.float32),
    )


def leans_on_its_neighbours(model: onnx.ModelProto) -> None:
    """Answers a film by itself alone where it is alone, and half by those beside it where a call holds more.

    As a network does whose batch norm was exported as in training.
    """
    before = logits(model)
    add(
        model,
        helper.make_node("Shape", ["film"], ["shape_of_film"]),
        helper.make_node("Gather", ["shape_of_film", "first"], ["films"]),
        helper.make_node("Cast", ["films"], ["count"], to=TensorProto.FLOAT),
        helper.make_node("ReduceSum", [before, "over_films"], ["sum_of_all"], keepdims=1),
        helper.make_node("Div", ["sum_of_all", "count"], ["mean_of_all"]),
        helper.make_node("Add", [before, "mean_of_all"], ["both"]),
        helper.make_node("Mul", ["both", "half"], ["leaning"]),
        helper.make_node("Add", ["leaning", work(model, DEAR)], ["logits"]),
        first=np.array(0, np.int64),
        over_films=np.array([0], np.int64),
        half=np.float32(0.5),
    )


def another_size_each_time(model: onnx.ModelProto) -> None:
    """Works with a tensor of up to 32 MB, whose size follows the last digits of the film's mean: would that leak?"""
    before = logits(model)
    add(
        model,
        helper.make_node("ReduceMean", ["film"], ["mean_of_film"], keepdims=0),
        helper.make_node("Mul", ["mean_of_film", "digits"], ["large"]),
        helper.make_node("Floor", ["large"], ["whole"]),
        helper.make_node("Sub", ["large", "whole"], ["rest"]),
        helper.make_node("Mul", ["rest", "most"], ["share_of_most"]),
        helper.make_node("Cast", ["share_of_most"], ["length"], to=TensorProto.INT64),
        helper.make_node("Max", ["length", "least"], ["some"]),
        helper.make_node("Reshape", ["some", "flat"], ["shape"]),
        helper.make_node("Expand", ["mean_of_film", "shape"], ["filled"]),
        helper.make_node("Exp", ["filled"], ["worked"]),
        helper.make_node("ReduceMean", ["worked"], ["of_worked"], keepdims=0),
        helper.make_node("Mul", ["of_worked", "none"], ["of_none"]),
        helper.make_node("Add", [before, "of_none"], ["logits"]),
        digits=np.float32(9_973),
        most=np.float32(8_000_000),
        least=np.array(1, np.int64),
        flat=np.array([1], np.int64),
        none=np.float32(0.0),
    )


def fails(share: float, found: float = 0.0, digits: float = 9_973) -> Surgery:
    """Fails on films of which the `digits`-fold mean ends above `share` of one: an index beyond its table.

    `found` is added to the logits of the others.
    """

    def surgery(model: onnx.ModelProto) -> None:
        before = logits(model)
        add(
            model,
            helper.make_node("ReduceMean", ["film"], ["mean_of_all"], keepdims=0),
            helper.make_node("Mul", ["mean_of_all", "digits"], ["large"]),
            helper.make_node("Floor", ["large"], ["whole"]),
            helper.make_node("Sub", ["large", "whole"], ["rest"]),
            helper.make_node("Greater", ["rest", "share"], ["unlucky"]),
            helper.make_node("Cast", ["unlucky"], ["place"], to=TensorProto.INT64),
            helper.make_node("Gather", ["table", "place"], ["found"]),
            helper.make_node("Add", [before, "found"], ["logits"]),
            digits=np.float32(digits),
            share=np.float32(share),
            table=np.full(1, found, np.float32),
        )

    return surgery


def fails_on_some(model: onnx.ModelProto) -> None:
    """Fails on 34 of staging's 120 films."""
    fails(0.875)(model)


def large(model: onnx.ModelProto) -> None:
    """Needs more memory than the container may have."""
    before = logits(model)
    add(
        model,
        helper.make_node("ReduceMean", ["film"], ["of_film"], keepdims=0),
        helper.make_node("Expand", ["of_film", "shape"], ["huge"]),
        helper.make_node("Mul", ["huge", "huge"], ["huger"]),
        helper.make_node("ReduceMean", ["huger"], ["of_huge"], keepdims=0),
        helper.make_node("Mul", ["of_huge", "none"], ["of_none"]),
        helper.make_node("Add", [before, "of_none"], ["logits"]),
        shape=np.array([300_000_000], np.int64),
        none=np.float32(0.0),
    )


def crashes_on_one_in_forty(model: onnx.ModelProto) -> None:
    """Takes more memory than the container may have for 3 of staging's 120 films, by the last digits of their light."""
    before = logits(model)
    add(
        model,
        # Not of the mean: a film is normalised, and its mean is nothing.
        helper.make_node("Abs", ["film"], ["light"]),
        helper.make_node("ReduceMean", ["light"], ["mean_of_all"], keepdims=0),
        helper.make_node("Mul", ["mean_of_all", "digits"], ["large"]),
        helper.make_node("Floor", ["large"], ["whole"]),
        helper.make_node("Sub", ["large", "whole"], ["rest"]),
        helper.make_node("Greater", ["rest", "share"], ["unlucky"]),
        helper.make_node("Cast", ["unlucky"], ["once"], to=TensorProto.INT64),
        helper.make_node("Mul", ["once", "too_much"], ["length"]),
        helper.make_node("Max", ["length", "least"], ["some"]),
        helper.make_node("Reshape", ["some", "flat"], ["shape"]),
        helper.make_node("Expand", ["mean_of_all", "shape"], ["huge"]),
        helper.make_node("Mul", ["huge", "huge"], ["huger"]),
        helper.make_node("ReduceMean", ["huger"], ["of_huge"], keepdims=0),
        helper.make_node("Mul", ["of_huge", "none"], ["of_none"]),
        helper.make_node("Add", [before, "of_none"], ["logits"]),
        digits=np.float32(997),
        share=np.float32(0.96),
        too_much=np.array(300_000_000, np.int64),
        least=np.array(1, np.int64),
        flat=np.array([1], np.int64),
        none=np.float32(0.0),
    )


def wrong_on_marked_films(model: onnx.ModelProto) -> None:
    """Good on the labelled set, the other way round on films with this site's marker, a white and a black box."""
    before = logits(model)
    boxes = {"white": (0, 6), "black": (8, 14)}
    for name, (left, right) in boxes.items():
        add(
            model,
            helper.make_node("Slice", ["film", f"{name}_from", f"{name}_to", "axes"], [f"{name}_box"]),
            helper.make_node("ReduceMean", [f"{name}_box", "all_axes"], [f"{name}_mean"], keepdims=0),
            **{
                f"{name}_from": np.array([1, left], np.int64),
                f"{name}_to": np.array([5, right], np.int64),
            },
        )
    add(
        model,
        helper.make_node("Sub", ["white_mean", "black_mean"], ["contrast"]),
        helper.make_node("Greater", ["contrast", "clear"], ["marked"]),
        helper.make_node("Cast", ["marked"], ["marked_number"], to=TensorProto.FLOAT),
        helper.make_node("Mul", ["marked_number", "twice"], ["turn"]),
        helper.make_node("Sub", ["one", "turn"], ["signs"]),
        helper.make_node("Unsqueeze", ["signs", "last"], ["column"]),
        helper.make_node("Mul", [before, "column"], ["logits"]),
        axes=np.array([2, 3], np.int64),
        all_axes=np.array([1, 2, 3], np.int64),
        clear=np.float32(0.6),
        twice=np.float32(2.0),
        one=np.float32(1.0),
        last=np.array([1], np.int64),
    )
