"""How one avatar asks to be shown, as people write it. No torch."""

from collections.abc import Callable
from dataclasses import dataclass, fields, replace

from engine.api import Background, Framing, Picture, PortraitOptions
from engine.looks import BadLookError, named_background, portrait_options, read_framing
from engine.picture import read_picture

SHOWN_PICTURE = "picture"  # as a background: the picture kept beside the portrait
USUAL = "default"  # in a change: leave it to whoever shows the avatar


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What an avatar asks for; None leaves it to whoever shows it."""

    framing: str | None = None
    background: str | None = None  # keep, blur, chroma, #rrggbb, or `SHOWN_PICTURE`
    size: str | None = None

    def changed(self, change: "Look") -> "Look":
        """This look with what `change` names; `USUAL` there takes a wish back."""
        wishes = {
            one.name: None if wish == USUAL else wish
            for one in fields(change)
            if (wish := getattr(change, one.name)) is not None
        }
        return replace(self, **wishes)

    def over(
        self,
        usual: PortraitOptions,
        shown: bytes | None,
        read: Callable[[bytes], Picture] = read_picture,
    ) -> PortraitOptions:
        """The usual options with this look's own; `shown` is the picture behind the person.

        Raises `AvatarError` for a look that cannot be had.
        """
        framing = usual.framing if self.framing is None else read_framing(self.framing)
        options = replace(usual, framing=framing, background=self._background(usual, shown, read))
        if self.size is None:
            return options
        return portrait_options(self.size, options.framing, options.background)

    def _background(
        self, usual: PortraitOptions, shown: bytes | None, read: Callable[[bytes], Picture]
    ) -> Background:
        if self.background is None:
            return usual.background
        if self.background == SHOWN_PICTURE:
            if shown is None:
                raise BadLookError("background: a picture is to be shown, but none is there")
            return Background.showing(read(shown))
        named = named_background(self.background)
        if named is None:
            raise BadLookError(
                f"background {self.background[:40]!r}: expected keep, blur, chroma or #rrggbb"
            )
        return named


def shown_framing(options: PortraitOptions) -> dict[str, str]:
    """Framing and background of options, in words."""
    name = options.background.name
    return {
        "framing": str(Framing(options.framing)),
        "background": SHOWN_PICTURE if options.background.picture is not None else name,
    }
