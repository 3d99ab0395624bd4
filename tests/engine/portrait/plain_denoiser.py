"""The motion denoiser by PyTorch on the streaming core: what `MotionRunner` is held to."""

from engine.portrait.channels import MOUTH_CHANNELS
from engine.portrait.motion_denoiser import SCHEDULE, MotionNetwork, motion_ladder
from engine.portrait.motion_unet import ROW, WINDOW_FRAMES
from engine.stream.denoise import Look, StreamingDenoiser, StreamPlan
from engine.stream.noise import FrameNoise
from engine.stream.solver import Solver, as_maps
from engine.stream.window import Rows, Start, StreamWindow, WindowSpec
from kernels.step import Guided, Prediction

HEARD_ROWS = "heard"


def open_denoiser(network: MotionNetwork, seed: int) -> StreamingDenoiser:
    """A stream of latents that is told one row of sound a frame; `seed` decides its noise."""
    anchor = network.anchor()
    spec = WindowSpec(
        frames=WINDOW_FRAMES,
        channels=MOUTH_CHANNELS,
        conditions={HEARD_ROWS: Rows((1, WINDOW_FRAMES, ROW), axis=1)},
    )
    start = Start(anchor, {HEARD_ROWS: network.silence()})
    window = StreamWindow(spec, FrameNoise(seed, (MOUTH_CHANNELS,)), start)
    plan = StreamPlan(SCHEDULE, Solver(motion_ladder()), anchor, fade_frames=0)

    def predict(look: Look) -> Guided:
        clean = network.unet(look.latents, look.timesteps, look.conditions[HEARD_ROWS])
        return Guided(as_maps(clean), prediction=Prediction.ORIGINAL)

    return StreamingDenoiser(predict, plan, window)
