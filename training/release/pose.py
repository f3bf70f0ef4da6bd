"""Train the pose head: how a film hangs, learnt from training films that are turned, inverted and cut on purpose."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from torch import nn
from torch.nn import functional as F

from hilum.release.pose import KINDS, MIRRORED, REFUSED, SIDE, UPRIGHT, PoseHead
from training.release.budget import Budget

Array = npt.NDArray[np.float32]
# The head is drawn from frames of twice its side, so that turning them loses nothing.
FRAME_SIDE = 2 * SIDE
# Beyond this many frames more teach the head nothing that 1,500 batches could hold.
MOST_FRAMES = 8000
STEPS, BATCH = 1500, 128
# How often a batch shows each kind, in the order of KINDS.
SHARES = (0.30, 0.10, 0.10, 0.10, 0.20, 0.08, 0.12)
# Fewer held-out films say nothing about refusals of one in a hundred: then there is no head.
LEAST_HELD_OUT = 300
# The limits lie this much (log odds) above what the held-out films ask for: they are few, a hospital's are many.
RESERVE = 0.5


def shrunk(frames: Any, side: int, most: int | None = None) -> Array:
    """`frames` (uint16, indexable by integer arrays to (n, H, W)) as (N, `side`, `side`), 0..1, by area means.

    Of more than `most`, a sample drawn with a fixed seed.
    """
    chosen = np.arange(len(frames))
    if most is not None and len(frames) > most:
        chosen = np.sort(np.random.default_rng(0).permutation(len(frames))[:most])
    small = np.empty((len(chosen), side, side), dtype=np.float32)
    for start in range(0, len(chosen), 256):
        block = np.asarray(frames[chosen[start : start + 256]])
        for k, frame in enumerate(block):
            image = Image.fromarray(frame.astype(np.float32))
            small[start + k] = np.asarray(image.resize((side, side), Image.Resampling.BOX)) / np.float32(65535.0)
    return small


def _standardised(small: torch.Tensor) -> torch.Tensor:
    centred = small - small.mean(dim=(1, 2), keepdim=True)
    return centred / centred.std(dim=(1, 2), keepdim=True, correction=0).clamp_min(1e-6)


class _Chance:
    """Uniform numbers of one generator."""

    def __init__(self, seed: int) -> None:
        self.generator = torch.Generator().manual_seed(seed)

    def between(self, count: int, low: float, high: float) -> torch.Tensor:
        return torch.rand(count, generator=self.generator) * (high - low) + low

    def happens(self, count: int, share: float) -> torch.Tensor:
        return torch.rand(count, generator=self.generator) < share


def _windows(kinds: torch.Tensor, chance: _Chance) -> tuple[torch.Tensor, ...]:
    """Half widths and centres (x, y), -1..1, of what is seen of each frame; parts are halves and small windows."""
    n = len(kinds)
    zoom = torch.exp(chance.between(n, -0.12, 0.15))
    wide = zoom * torch.exp(chance.between(n, -0.06, 0.06))
    high = zoom * torch.exp(chance.between(n, -0.06, 0.06))
    x, y = chance.between(n, -0.08, 0.08), chance.between(n, -0.08, 0.08)
    # Borders that some systems pad a film with, left and right, above and below, or all around.
    border = chance.between(n, 0, 1)
    wide = torch.where(border < 0.15, wide * chance.between(n, 1, 1.4), wide)
    high = torch.where((border > 0.08) & (border < 0.23), high * chance.between(n, 1, 1.4), high)
    part, how = kinds == KINDS.index("part"), chance.between(n, 0, 1)
    beside, above = how < 0.45, (how >= 0.45) & (how < 0.6)
    cut, small = chance.between(n, 0.42, 0.58), chance.between(n, 0.3, 0.55)
    whole, side = torch.ones(n), torch.where(chance.happens(n, 0.5), -1.0, 1.0)
    part_wide = torch.where(beside, cut, torch.where(above, whole, small))
    part_high = torch.where(above, cut, torch.where(beside, whole, small))
    part_x = (1 - part_wide) * torch.where(beside, side, chance.between(n, -1, 1))
    part_y = (1 - part_high) * torch.where(above, side, chance.between(n, -1, 1))
    pairs = ((part_wide, wide), (part_high, high), (part_x, x), (part_y, y))
    return tuple(torch.where(part, a, b) for a, b in pairs)


def changed(frames: torch.Tensor, kinds: torch.Tensor, seed: int) -> torch.Tensor:
    """Thumbnails (N, SIDE, SIDE) of `frames` (N, FRAME_SIDE, FRAME_SIDE), 0..1, changed to be of `kinds` (N,).

    Upright films are tilted, zoomed, shifted, padded and brightened a little too, so that none of this is a kind. Of
    what is turned, negative or a part, some is mirrored as well; of what is negative or a part, some is turned.
    """
    chance, n = _Chance(seed), len(frames)
    negative, part = kinds == KINDS.index("negative"), kinds == KINDS.index("part")
    quarters = torch.zeros(n)
    for turns, kind in ((1, "turned right"), (2, "upside down"), (3, "turned left")):
        quarters[kinds == KINDS.index(kind)] = turns
    loose = (negative | part) & chance.happens(n, 0.3)
    quarters = torch.where(loose, torch.floor(chance.between(n, 0, 4)), quarters)
    angle = chance.between(n, -12, 12) * math.pi / 180 - quarters * math.pi / 2
    swapped = chance.happens(n, 0.3) & (kinds != KINDS.index(UPRIGHT)) | (kinds == KINDS.index(MIRRORED))
    flip = torch.where(swapped, -1.0, 1.0)
    wide, high, x, y = _windows(kinds, chance)
    cos, sin = torch.cos(angle), torch.sin(angle)
    rows = (torch.stack([wide * flip * cos, -wide * flip * sin, x], 1), torch.stack([high * sin, high * cos, y], 1))
    grid = F.affine_grid(torch.stack(rows, 1), [n, 1, SIDE, SIDE], align_corners=False)
    # Most padding is black, some white: what lies outside is 0 for grid_sample.
    outside = chance.happens(n, 0.15).float()[:, None, None, None]
    seen = F.grid_sample(frames[:, None] - outside, grid, align_corners=False) + outside
    seen = seen[:, 0].clamp(1e-6, 1) ** torch.exp(chance.between(n, -0.5, 0.5))[:, None, None]
    seen[negative] = 1 - seen[negative]
    return seen + torch.randn(seen.shape, generator=chance.generator) * 0.02


def _block(inside: int, outside: int, size: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(inside, outside, size, 2, size // 2, bias=False), nn.BatchNorm2d(outside), nn.ReLU())


def _network() -> nn.Sequential:
    blocks = (_block(1, 16, 5), _block(16, 32, 3), _block(32, 64, 3))
    dense = (nn.Linear((SIDE // 8) ** 2 * 64, 64), nn.ReLU(), nn.Linear(64, len(KINDS)))
    return nn.Sequential(*blocks, nn.Flatten(), nn.Dropout(0.2), *dense)


def _folded(block: nn.Sequential) -> tuple[Array, Array]:
    """A block's convolution with its batch normalisation in the weights."""
    norm = block[1]
    scale = norm.weight / torch.sqrt(norm.running_var + norm.eps)
    weight = block[0].weight * scale[:, None, None, None]
    return weight.detach().numpy().copy(), (norm.bias - norm.running_mean * scale).detach().numpy().copy()


@contextmanager
def _one_thread() -> Iterator[None]:
    """So small a network is slower on several threads, and much slower where other work has the cores."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def train_head(frames: Array, steps: int = STEPS, seed: int = 1) -> PoseHead:
    """Train on `frames` (N, FRAME_SIDE, FRAME_SIDE), 0..1, of chest films that hang upright, all limits at 0+.

    On one core about 35 s for `STEPS`. The caller sets the limits (`with_limits`).
    """
    everything, chance = torch.from_numpy(frames), _Chance(seed)
    with torch.random.fork_rng(devices=[]), _one_thread():
        torch.manual_seed(seed)
        network = _network().train()
        optimiser = torch.optim.AdamW(network.parameters(), weight_decay=0.02)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 5e-3, total_steps=max(steps, 2))
        for step in range(steps):
            films = torch.randint(0, len(everything), (BATCH,), generator=chance.generator)
            kinds = torch.multinomial(torch.tensor(SHARES), BATCH, replacement=True, generator=chance.generator)
            small = changed(everything[films], kinds, seed * 1_000_003 + step)
            loss = F.cross_entropy(network(_standardised(small)[:, None]), kinds)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
    dense = tuple(
        (layer.weight.detach().numpy().copy(), layer.bias.detach().numpy().copy()) for layer in (network[5], network[7])
    )
    return PoseHead(tuple(_folded(network[k]) for k in range(3)), dense, np.full(len(KINDS), 1e-3, dtype=np.float32))


def with_limits(
    head: PoseHead, held_out: Array, refusable: Budget, warned: Budget
) -> tuple[PoseHead, npt.NDArray[np.bool_]]:
    """`head` with limits that few of the `held_out` chest films (M, SIDE, SIDE) exceed, and a mask of those few, (M,).

    Some films of every data set do hang wrongly: the worst, by their largest log odds of a refused kind, are given up
    while `refusable` lets them be. Then each limit lies above all others. `warned` is the same for "mirrored".
    """
    odds = head.log_odds(held_out[:, np.newaxis])
    refused = [KINDS.index(kind) for kind in REFUSED]
    given_up = refusable.spend(odds[:, refused].max(axis=1))
    mirrored = KINDS.index(MIRRORED)
    without_warning = ~warned.spend(odds[:, mirrored])
    limits = np.full(len(KINDS), RESERVE, dtype=np.float32)
    for k in refused:
        limits[k] += max(float(odds[~given_up, k].max()), 0.0)
    limits[mirrored] += max(float(odds[without_warning, mirrored].max()), 0.0)
    return PoseHead(head.convolutions, head.dense, limits), given_up
