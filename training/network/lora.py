"""Low-rank adapters (Hu et al., ICLR 2022) by peft: put in before training, merged into the weights before export."""

from __future__ import annotations

from torch import nn

from training.config import BadRecipe, Lora


def add_adapters(backbone: nn.Module, how: Lora) -> None:
    """Put an adapter beside every layer of `backbone` whose name ends in one of `how.targets`; the rest is held fixed.

    Raises BadRecipe where no layer has such a name.
    """
    from peft import LoraConfig, inject_adapter_in_model  # noqa: PLC0415 - seconds to import, and few recipes need it

    settings = LoraConfig(
        r=how.rank,
        lora_alpha=how.alpha,  # type: ignore[arg-type]
        lora_dropout=how.dropout,
        target_modules=list(how.targets),
        bias="none",
    )
    try:
        inject_adapter_in_model(settings, backbone)
    except ValueError as error:
        raise BadRecipe(f"network.lora.targets {list(how.targets)}: {error}") from error


def merge_adapters(backbone: nn.Module) -> None:
    """Add each adapter to its layer's weights and take it out: `backbone` is again what timm made."""
    from peft.tuners.tuners_utils import BaseTunerLayer  # noqa: PLC0415

    for name, module in list(backbone.named_modules()):
        if isinstance(module, BaseTunerLayer):
            module.merge()
            parent, _, last = name.rpartition(".")
            holder = backbone.get_submodule(parent)
            if last.isdigit() and isinstance(holder, nn.Sequential):
                holder[int(last)] = module.get_base_layer()
            else:
                setattr(holder, last, module.get_base_layer())
