"""The choice of a backend, on machines that are made up."""

from dataclasses import replace

import pytest

from engine.stream.backends import (
    AttentionKind,
    Availability,
    Backend,
    BackendUnavailableError,
    Gpu,
    Machine,
    UnknownBackendError,
    choices,
    choose,
    choose_attention,
    minor,
    survey,
)
from engine.stream.machine import this_machine

LAPTOP = Machine(torch_version="2.13.0+cpu", compiler="/usr/bin/g++")
BARE = Machine(torch_version="2.13.0+cpu")
ADA = Gpu(name="RTX 4090", capability=(8, 9), memory_bytes=24 << 30)
HOPPER = Gpu(name="H100", capability=(9, 0), memory_bytes=80 << 30)
SERVER = Machine(
    torch_version="2.13.0+cu130",
    cuda_version="13.0",
    gpu=HOPPER,
    compiler="/usr/bin/g++",
    triton_version="3.7.1",
    torch_tensorrt_version="2.13.0",
    xformers_version="0.0.35",
)


def on(name: str, machine: Machine) -> Availability:
    return next(item for item in survey(machine) if item.name == name)


def test_every_backend_and_attention_is_judged_once() -> None:
    names = [item.name for item in survey(SERVER)]
    assert sorted(names) == sorted([*set(Backend) - {Backend.AUTO}, *AttentionKind])
    assert all(item.available and item.reason for item in survey(SERVER))


@pytest.mark.parametrize(
    ("machine", "chosen", "why"),
    [
        (LAPTOP, Backend.EAGER, "without a GPU"),
        (BARE, Backend.EAGER, "without a GPU"),
        (SERVER, Backend.INDUCTOR_GRAPH, "fastest"),
        (replace(SERVER, triton_version=None), Backend.CUDA_GRAPH, "needs the package triton"),
        (replace(SERVER, compiler=None), Backend.CUDA_GRAPH, "C++ compiler"),
        (SERVER.without_gpu(), Backend.EAGER, "without a GPU"),
    ],
)
def test_auto_takes_the_best_there_is(machine: Machine, chosen: Backend, why: str) -> None:
    choice = choose("auto", machine)
    assert choice.name == chosen
    assert why in choice.reason


def test_auto_has_something_to_fall_back_to() -> None:
    names = [choice.name for choice in choices("auto", SERVER)]
    assert names == [Backend.INDUCTOR_GRAPH, Backend.CUDA_GRAPH, Backend.EAGER]


@pytest.mark.parametrize("name", sorted(set(Backend) - {Backend.AUTO}))
def test_what_is_there_can_be_asked_for(name: str) -> None:
    assert [choice.name for choice in choices(name, SERVER)] == [name]


@pytest.mark.parametrize(
    ("name", "machine", "why"),
    [
        ("cuda-graph", LAPTOP, "PyTorch 2.13.0+cpu is built without CUDA"),
        ("inductor+graph", LAPTOP, "needs a CUDA GPU"),
        ("tensorrt", LAPTOP, "needs a CUDA GPU"),
        ("inductor", BARE, "needs a C++ compiler"),
        ("cuda-graph", SERVER.without_gpu(), "none is in use"),
        ("inductor", replace(SERVER, triton_version=None), "needs the package triton"),
        ("tensorrt", replace(SERVER, torch_tensorrt_version=None), "torch-tensorrt 2.13"),
        ("tensorrt", replace(SERVER, torch_tensorrt_version="2.12.1"), "2.12.1 does not fit"),
        ("tensorrt", replace(SERVER, torch_version="2.15.0+cu130"), "does not fit PyTorch 2.15.0"),
    ],
)
def test_what_is_missing_is_refused_with_the_reason(name: str, machine: Machine, why: str) -> None:
    with pytest.raises(BackendUnavailableError) as caught:
        choose(name, machine)
    said = str(caught.value)
    assert why in said
    assert repr(name) in said
    assert "Available: auto, eager" in said
    assert not on(name, machine).available


def test_compiling_for_the_cpu_needs_no_triton() -> None:
    assert LAPTOP.triton_version is None
    assert on(Backend.INDUCTOR, LAPTOP).available


def test_an_unknown_name_is_answered_by_the_known_ones() -> None:
    with pytest.raises(UnknownBackendError) as caught:
        choose("warp", SERVER)
    assert all(name in str(caught.value) for name in ("warp", *Backend))
    with pytest.raises(UnknownBackendError) as caught:
        choose_attention("flash", SERVER)
    assert all(name in str(caught.value) for name in ("flash", *AttentionKind))


@pytest.mark.parametrize(
    ("machine", "used", "why"),
    [
        (SERVER, "xformers", "asked for"),
        (LAPTOP, "sdpa", "needs a CUDA GPU"),
        (replace(SERVER, xformers_version=None), "sdpa", "needs the package xformers"),
        (replace(SERVER, gpu=replace(ADA, capability=(12, 0))), "sdpa", "has 12.0"),
        (replace(SERVER, gpu=replace(ADA, capability=(7, 0))), "sdpa", "has 7.0"),
        (replace(SERVER, gpu=replace(ADA, capability=(7, 5))), "xformers", "asked for"),
    ],
)
def test_attention_falls_back_and_says_why(machine: Machine, used: str, why: str) -> None:
    choice = choose_attention("xformers", machine)
    assert choice.name == used
    assert why in choice.reason
    assert choose_attention("sdpa", machine).name == "sdpa"


def test_the_survey_says_which_kernels_xformers_brings() -> None:
    assert "32 to 256" in on("xformers", SERVER).reason
    turing = replace(SERVER, gpu=replace(ADA, capability=(7, 5)))
    assert "PyTorch has too" in on("xformers", turing).reason


@pytest.mark.parametrize(
    ("version", "wanted"),
    [("2.13.0+cpu", (2, 13)), ("2.9.1", (2, 9)), ("2.14.0a0+git1", (2, 14)), ("3.0rc1", (3, 0))],
)
def test_versions_are_compared_by_their_first_two_numbers(
    version: str, wanted: tuple[int, int]
) -> None:
    assert minor(version)[0] == wanted[0]
    assert minor(version)[1] == wanted[1] or "rc" in version


def test_this_machine_can_at_least_run_eagerly() -> None:
    assert on(Backend.EAGER, this_machine()).available
    assert choose("auto", this_machine().without_gpu()).name == Backend.EAGER
