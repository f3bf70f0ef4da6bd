"""Random changes of a batch of films: geometry and light; by default no left-right flip (the heart has a side).

Every random number but the noise is drawn on the CPU, so that a run on a GPU sees the same changes.
"""

from __future__ import annotations

import math

import torch
from torch.nn import functional as F

from training.config import Augmentation


def standardise(films: torch.Tensor, min_std: float) -> torch.Tensor:
    """Per-film standardisation as `hilum.imaging.preprocess.normalise` does for "film"; `films` is (B, 1, H, W)."""
    mean = films.mean(dim=(2, 3), keepdim=True)
    std = films.std(dim=(2, 3), keepdim=True, correction=0)
    return (films - mean) / std.clamp_min(min_std)


def _between(count: int, spread: float, generator: torch.Generator) -> torch.Tensor:
    return (torch.rand(count, generator=generator) * 2 - 1) * spread


def _affine(films: torch.Tensor, size: int, how: Augmentation, generator: torch.Generator) -> torch.Tensor:
    count = len(films)
    angle = _between(count, math.radians(how.rotation_degrees), generator)
    zoom = torch.exp(_between(count, how.zoom, generator))
    stretch = torch.exp(_between(count, how.stretch, generator))
    cos, sin = torch.cos(angle), torch.sin(angle)
    shift_x, shift_y = (_between(count, 2 * how.shift, generator) for _ in range(2))
    rows = (
        torch.stack((zoom * stretch * cos, -zoom * stretch * sin, shift_x), dim=1),
        torch.stack((zoom / stretch * sin, zoom / stretch * cos, shift_y), dim=1),
    )
    grid = F.affine_grid(torch.stack(rows, dim=1).to(films.device), [count, 1, size, size], align_corners=False)
    return F.grid_sample(films, grid, mode="bilinear", padding_mode="zeros", align_corners=False)


def _light(films: torch.Tensor, how: Augmentation, generator: torch.Generator) -> torch.Tensor:
    count = len(films)

    def each(values: torch.Tensor) -> torch.Tensor:
        return values.view(-1, 1, 1, 1).to(films.device)

    # Sharpness first: between a blurred film and an unsharp mask, the spread of resamplers and of vendors' filters.
    blurred = F.avg_pool2d(F.pad(films, (1, 1, 1, 1), mode="replicate"), 3, stride=1)
    films = films + each(_between(count, how.sharpness, generator)) * (films - blurred)
    films = films.clamp(1e-4, 1.0) ** each(torch.exp(_between(count, how.gamma, generator)))
    contrast = torch.exp(_between(count, how.contrast, generator))
    middle = 0.5 + _between(count, how.brightness, generator)
    films = (films - 0.5) * each(contrast) + each(middle)
    noise = _noise(films, generator) * each(torch.rand(count, generator=generator) * how.noise)
    return (films + noise).clamp(0.0, 1.0)


def _noise(films: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    if films.device.type == "cpu":
        return torch.randn(films.shape, generator=generator)
    # A GPU's own noise, seeded by the CPU's numbers: there is too much of it to send across.
    seed = int(torch.randint(0, 2**62, (), generator=generator))
    there = torch.Generator(films.device).manual_seed(seed)
    return torch.randn(films.shape, generator=there, device=films.device)


def _erase(films: torch.Tensor, how: Augmentation, generator: torch.Generator) -> torch.Tensor:
    side = films.shape[-1]
    for film in films:
        if torch.rand((), generator=generator) >= how.erase:
            continue
        height, width = (int(side * (0.08 + 0.17 * torch.rand((), generator=generator))) for _ in range(2))
        top = int(torch.randint(0, side - height, (), generator=generator))
        left = int(torch.randint(0, side - width, (), generator=generator))
        film[:, top : top + height, left : left + width] = float(torch.rand((), generator=generator))
    return films


def _flip(films: torch.Tensor, how: Augmentation, generator: torch.Generator) -> torch.Tensor:
    if how.flip == 0.0:
        return films
    turned = (torch.rand(len(films), generator=generator) < how.flip).to(films.device)
    return torch.where(turned.view(-1, 1, 1, 1), films.flip(3), films)


def augment(films: torch.Tensor, size: int, how: Augmentation, generator: torch.Generator) -> torch.Tensor:
    """Changed copies of `films` (B, 1, H, W), 0..1, at `size` x `size`, still 0..1 and not yet standardised."""
    moved = _flip(_affine(films, size, how, generator), how, generator)
    return _erase(_light(moved, how, generator), how, generator)
