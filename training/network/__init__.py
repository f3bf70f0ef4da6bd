"""The networks: timm backbones with a head whose activation maps explain the logits."""
