"""Spatial transformers: the one that gives reference features and the one that reads them."""

from dataclasses import dataclass

from torch import Tensor, nn

from engine.vexpress.blocks import Attention, FeedForward, KeysValues

WRAPPER_EPS = 1e-6  # of the group norm before tokens; residual blocks have 1e-5


@dataclass(frozen=True, slots=True)
class AttentionWeights:
    """How strongly a frame follows the portrait and the voice; each also scales a bias.

    A number, or a tensor that broadcasts against tokens [b * frames, n, channels].
    """

    reference: float | Tensor = 1.0
    audio: float | Tensor = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class TransformerSizes:
    """Sizes of one spatial transformer."""

    channels: int
    heads: int
    context_channels: int
    norm_groups: int


@dataclass(frozen=True, slots=True)
class Conditions:
    """What a frame's tokens look at. Without a part, that part counts as zeros."""

    audio: Tensor | None  # [b * frames, tokens, context channels]
    reference: KeysValues | None  # of this layer; groups: 1, b or b * frames
    weights: AttentionWeights


class ReferenceBlock(nn.Module):
    """Self-attention, attention to a context, feed-forward; taps the tokens in between."""

    def __init__(self, sizes: TransformerSizes) -> None:
        super().__init__()
        channels, heads = sizes.channels, sizes.heads
        self.self_norm = nn.LayerNorm(channels)
        self.self_attention = Attention(channels, heads)
        self.context_norm = nn.LayerNorm(channels)
        self.context_attention = Attention(channels, heads, sizes.context_channels)
        self.feed_norm = nn.LayerNorm(channels)
        self.feed_forward = FeedForward(channels)

    def forward(self, x: Tensor, context: Tensor | None) -> tuple[Tensor, Tensor]:
        """`x` [b, n, c], `context` [b, m, cc] or none for zeros -> `x` and features [b, n, c]."""
        x = x + self.self_attention(self.self_norm(x))
        feature = self.context_norm(x)
        if context is None:
            x = x + self.context_attention.blind()
        else:
            x = x + self.context_attention(feature, context)
        return x + self.feed_forward(self.feed_norm(x)), feature


class DenoisingBlock(nn.Module):
    """Self-attention, reference attention, audio attention, feed-forward."""

    def __init__(self, sizes: TransformerSizes) -> None:
        super().__init__()
        channels, heads = sizes.channels, sizes.heads
        self.self_norm = nn.LayerNorm(channels)
        self.self_attention = Attention(channels, heads)
        self.reference_norm = nn.LayerNorm(channels)
        self.reference_attention = Attention(channels, heads)
        self.audio_norm = nn.LayerNorm(channels)
        self.audio_attention = Attention(channels, heads, sizes.context_channels)
        self.feed_norm = nn.LayerNorm(channels)
        self.feed_forward = FeedForward(channels)

    def forward(self, x: Tensor, seen: Conditions) -> Tensor:
        """Tokens [b * frames, n, channels] -> the same shape."""
        x = x + self.self_attention(self.self_norm(x))
        x = x + seen.weights.reference * self.look_at_reference(x, seen.reference)
        x = x + seen.weights.audio * self.listen(x, seen.audio)
        out: Tensor = x + self.feed_forward(self.feed_norm(x))
        return out

    def look_at_reference(self, x: Tensor, reference: KeysValues | None) -> Tensor:
        """What the portrait's features say, before weighting; broadcasts against `x`."""
        if reference is None:
            return self.reference_attention.blind()
        return self.reference_attention.attend(self.reference_norm(x), reference)

    def listen(self, x: Tensor, audio: Tensor | None) -> Tensor:
        """What the audio tokens say, before weighting; broadcasts against `x`."""
        if audio is None:
            return self.audio_attention.blind()
        out: Tensor = self.audio_attention(self.audio_norm(x), audio)
        return out


class _SpatialTransformer(nn.Module):
    """What both spatial transformers share: from a map to tokens and back."""

    def __init__(self, sizes: TransformerSizes) -> None:
        super().__init__()
        channels = sizes.channels
        self.norm = nn.GroupNorm(sizes.norm_groups, channels, eps=WRAPPER_EPS)
        self.proj_in = nn.Conv2d(channels, channels, 1)
        self.proj_out = nn.Conv2d(channels, channels, 1)

    def to_tokens(self, x: Tensor) -> Tensor:
        """Map [m, channels, h, w] -> tokens [m, h * w, channels], row by row."""
        tokens: Tensor = self.proj_in(self.norm(x)).flatten(2).transpose(1, 2)
        return tokens

    def add_tokens(self, x: Tensor, tokens: Tensor) -> Tensor:
        """The inverse of `to_tokens`, added to the map `x`."""
        out: Tensor = x + self.proj_out(tokens.transpose(1, 2).reshape(x.shape))
        return out


class ReferenceTransformer(_SpatialTransformer):
    """A spatial transformer of the ReferenceNet."""

    def __init__(self, sizes: TransformerSizes) -> None:
        super().__init__(sizes)
        self.block = ReferenceBlock(sizes)

    def forward(self, x: Tensor, context: Tensor | None) -> tuple[Tensor, Tensor]:
        """Map [b, c, h, w] -> the same, and its reference features [b, h * w, c]."""
        tokens, feature = self.block(self.to_tokens(x), context)
        return self.add_tokens(x, tokens), feature


class DenoisingTransformer(_SpatialTransformer):
    """A spatial transformer of the denoising UNet."""

    def __init__(self, sizes: TransformerSizes) -> None:
        super().__init__(sizes)
        self.block = DenoisingBlock(sizes)

    def forward(self, x: Tensor, seen: Conditions) -> Tensor:
        """Map [b * frames, channels, h, w] -> the same shape."""
        return self.add_tokens(x, self.block(self.to_tokens(x), seen))
