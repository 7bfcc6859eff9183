"""Settings: everything an operator may choose, as frozen values. Read from one TOML file, or built by a profile.

`sightline.assembly` is the only reader.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from sightline.media.settings import MediaSettings
from sightline.profiles import names, text_of
from sightline.profiles.reading import Mistake, read
from sightline.service.ports import StartupError
from sightline.tasks.base import Lane
from sightline.tasks.catalog import shipped

Name = Annotated[str, Meta(min_length=1, max_length=64)]
Count = Annotated[int, Meta(ge=1)]


class LocalEngine(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, tag_field="kind", tag="local"):
    """llama.cpp in a child process of ours, on this machine."""

    model: str = "sight-nano"
    """The bundled model's name, the path of a GGUF file, or `hf:org/repo[:file]`."""
    mmproj: str | None = None
    """The vision part's GGUF; by default found beside the model."""
    slots: Count = 4
    """Generations at a time."""
    threads: Count | None = None
    """By default the cores that are really free."""
    background: bool = False
    """Runs at lower priority and with fewer threads, so that people who wait come first."""
    context: Count | None = None
    """Tokens a slot can hold; by default what the model allows, within reason."""


class RemoteEngine(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, tag_field="kind", tag="openai"):
    """Any OpenAI-compatible server, or several that serve the same model."""

    url: Annotated[str, Meta(pattern="^https?://")] | None = None
    """Its address."""
    replicas: list[Annotated[str, Meta(pattern="^https?://")]] = []
    """The addresses of several servers, in place of `url`."""
    discover: Literal["no", "dns"] = "no"
    """`dns`: every address that the host of `url` stands for is a server, looked up again every few seconds."""
    affinity: bool = True
    """Of several servers, a picture goes to the one that has seen it, unless that one is loaded."""
    slots: Count | None = None
    """Of several servers, how many generations each does at a time without slowing down; by default it is learnt."""
    model: str | None = None
    """The name of the model there; by default the first one that it serves."""
    dialect: Literal["openai", "vllm", "llama.cpp", "sglang", "lmdeploy", "ollama", "dashscope", "openai-platform"] = "openai"
    """What kind of server it is; `openai` for any other."""
    min_pixels: Count | None = None
    max_pixels: Count | None = None
    """What it is shown of a picture, least and most; by default 65,536 and 1,310,720. Callers cannot change it at the server."""
    most_pixels: Count | None = None
    """The most that `detail: high` may ask; by default 16,777,216."""
    experts: Count | None = None
    active_experts: Count | None = None
    """Experts of a layer, and those active for a token, where it is a mixture: servers do not tell."""
    routed_experts: bool = False
    """Whether calls that do not stream are told which experts were at work (vLLM with `--enable-return-routed-experts`)."""
    priorities: bool = False
    """Whether its queue knows priorities (vLLM with `--scheduling-policy priority`)."""
    ca: str | None = None
    """A file with the certificates of those who signed the server's, where they are not publicly known."""
    connect_s: Annotated[float, Meta(gt=0)] = 5.0
    probe_s: Annotated[float, Meta(gt=0)] = 2.0
    """How often it is asked whether it is there."""
    slow_start_s: Annotated[float, Meta(ge=0)] = 10.0
    """A server that comes up beside others is given its full share of the work after so long."""
    hedge_ms: Count | None = None
    """Where no token has come after so long, another replica is asked too, and whoever is first answers: at most one call in twenty."""
    key_env: str | None = None
    """Name of the environment variable that holds its key."""
    stall_s: Annotated[float, Meta(gt=0)] = 30.0
    """Silence after which it counts as broken."""

    def __post_init__(self) -> None:
        if (self.url is None) == (not self.replicas):
            raise ValueError("exactly one of url and replicas is needed")
        if self.discover == "dns" and self.url is None:
            raise ValueError("discover = 'dns' needs a url")
        if self.hedge_ms is not None and len(self.replicas) < 2 and self.discover != "dns":
            raise ValueError("hedge_ms needs several replicas")


class FakeEngine(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, tag_field="kind", tag="fake"):
    """A simulated engine, for tests and load measurements; every answer says so. Speeds are tokens/s for each slot."""

    prefill: Annotated[float, Meta(gt=0)] = 5000.0
    decode: Annotated[float, Meta(gt=0)] = 200.0
    slots: Count = 4
    answer_tokens: Count | None = None


class SmallerEngine(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, tag_field="kind", tag="smaller"):
    """Another engine of this file looking at fewer pixels; for a lane's `lighter`."""

    of: Name
    max_pixels: Annotated[int, Meta(ge=1024)]


Engine = LocalEngine | RemoteEngine | FakeEngine | SmallerEngine


class LaneSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One lane: its engines in order of preference, generations at a time, and what may wait (in calls, and in tokens of work).

    `lighter` names engines of a lighter model that answers, and says so, when the lane is full or its engines are away.
    """

    backends: Annotated[list[Name], Meta(min_length=1)]
    slots: Count = 4
    waiting: Annotated[int, Meta(ge=0)] = 64
    waiting_tokens: Count = 1_000_000
    timeout_ms: Count | None = None
    """The longest that any of its calls may take, whatever the caller or the task allows."""
    lighter: list[Name] = []
    lighter_slots: Count = 2
    lighter_waiting: Annotated[int, Meta(ge=0)] = 16
    cpu: Count = 2
    """Threads that decode and resize its media."""
    replicas: str | None = None
    """A host name with an address for each replica of its engine, such as a headless Service's. `slots` are then those of one replica:
    the lane has as many times that as there are addresses, shared among the gateways (`server.peers`)."""


class ServerSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The face to the network."""

    host: str = "127.0.0.1"
    port: Annotated[int, Meta(ge=0, le=65535)] = 8000
    """0 takes a free one."""
    root_path: str = ""
    """The prefix that the service is mounted under, such as `/qwen-vl`."""
    hosts: list[str] = []
    """Names, besides localhost, under which a service without keys may be called."""
    body_bytes: Count = 32 * 2**20
    """The largest JSON body."""
    drain_seconds: Annotated[int, Meta(ge=0)] = 10
    """After SIGTERM, open calls may finish for so long; then each is ended with an `error`."""
    peers: str | None = None
    """A host name with the addresses of all gateways that share the engines; by default this one has them for itself."""


class InputSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Bounds of what may be sent; see `sightline.media.settings` for the others and for what they mean."""

    most_bytes: Count = 32_000_000
    most_pixels: Count = 50_000_000
    most_pages: Count = 200
    held_bytes: Count = 768_000_000
    decoded_bytes: Count = 512_000_000
    allow_hosts: list[str] = []
    deny_hosts: list[str] = []
    private_networks: list[str] = []
    """Networks such as `10.0.0.0/8` that may be asked although they are not public."""
    ports: tuple[Annotated[int, Meta(ge=1, le=65535)], ...] = (80, 443)

    def __post_init__(self) -> None:
        for network in self.private_networks:
            try:
                ip_network(network)
            except ValueError:
                raise ValueError(f"private_networks: '{network}' is no network, such as 10.0.0.0/8") from None

    def bounds(self) -> MediaSettings:
        """As the media gate takes them."""
        return MediaSettings(
            most_bytes=self.most_bytes,
            most_pixels=self.most_pixels,
            most_pages=self.most_pages,
            held_bytes=self.held_bytes,
            decoded_bytes=self.decoded_bytes,
            allow_hosts=tuple(self.allow_hosts),
            deny_hosts=tuple(self.deny_hosts),
            private_networks=tuple(ip_network(network) for network in self.private_networks),
            ports=frozenset(self.ports),
        )


class TrustSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Who may call, and what is refused; see docs/guide/security.md."""

    keys: Literal["auto", "required"] = "auto"
    """`auto` asks for keys on every address but loopback."""
    database: str | None = None
    """Of keys and usage: `postgresql://...`, or `sqlite:///...`; by default a file in the state folder. `${NAME}` in an address stands
    for an environment variable."""
    shared: str | None = None
    """A Valkey or Redis (`redis://...`) through which several gateways share limits; by default each counts alone."""
    open_paths: list[Literal["docs", "tasks", "metrics"]] = msgspec.field(default_factory=lambda: ["docs", "tasks"])
    """What may be read without a key where calls need one."""
    most_priority: Annotated[int, Meta(ge=0, le=9)] = 0
    """The highest `options.priority` that a key may ask for."""
    moderation: bool = True
    shipped_rules: bool = True
    rules: list[str] = []
    """Files with rules of your own."""
    classifier: Literal["off", "questions", "all"] = "questions"
    """What the small classifier that comes with the rules weighs besides them: nothing, what callers write, or answers too."""
    text_guard: Name | None = None
    """An engine of this file whose model judges texts in Qwen3Guard's form, besides the rules; it serves no lane."""
    image_guard: Name | None = None
    """One that judges pictures; by default they are not checked."""
    evidence_key: str | None = None
    """The reviewers' public key (`sightline audit keygen`): what is refused is kept for them, sealed to it; by default nothing is."""
    evidence_days: Annotated[float, Meta(gt=0, le=3650)] = 30
    """After so many days it is deleted."""


class TaskSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Tasks: those of your own, and what holds for all."""

    folder: str | None = None
    """Where their files lie; they are read when the service starts."""
    arithmetic: bool = True
    """Whether questions about rates, sums and differences of charts are computed from the values that were read, unless a caller
    says otherwise (`options.arithmetic`); else the model answers them."""
    calibration: str | None = None
    """A folder with calibrators of your own (`sightline calibrate`), beside those that ship with a model."""


class RouteSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Where one task is answered, in place of its lane's own engines: `[routes.chart_parse]`."""

    backends: list[Name] = []
    """Its own engines, in order of preference."""
    model: str | None = None
    """One of its lane's models."""

    def __post_init__(self) -> None:
        if (self.model is None) == (not self.backends):
            raise ValueError("exactly one of backends and model is needed")


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """All of it."""

    backends: dict[Name, Engine]
    lanes: dict[Lane, LaneSettings]
    server: ServerSettings = ServerSettings()
    media: InputSettings = InputSettings()
    trust: TrustSettings = TrustSettings()
    tasks: TaskSettings = TaskSettings()
    routes: dict[Name, RouteSettings] = {}
    """By the names of tasks."""
    state: str | None = None
    """The folder for uploads, keys and the audit log; by default sightline/ under the user's state folder."""
    cache_bytes: Annotated[int, Meta(ge=0)] = 64 * 2**20
    """Memory for remembered answers; 0 remembers none."""
    cache_shared: str | None = None
    """A Valkey or Redis (`redis://...`) in which several gateways remember answers together, in place of this one's memory."""
    cache_seconds: Count = 24 * 3600
    """How long an answer is remembered there."""

    def __post_init__(self) -> None:
        for lane in ("A", "B", "C"):
            if lane not in self.lanes:
                raise ValueError(f"lanes.{lane} is missing")
            for name in (*self.lanes[lane].backends, *self.lanes[lane].lighter):
                if name not in self.backends:
                    raise ValueError(f"lanes.{lane}.backends names the engine '{name}'; there are: {', '.join(sorted(self.backends))}")
        self._check_routes()
        for name, engine in self.backends.items():
            if isinstance(engine, SmallerEngine) and isinstance(self.backends.get(engine.of), SmallerEngine | None):
                raise ValueError(f"backends.{name}.of must name an engine of another kind")
        for key, guard in (("text_guard", self.trust.text_guard), ("image_guard", self.trust.image_guard)):
            used = [name for lane in self.lanes.values() for name in (*lane.backends, *lane.lighter)]
            if guard is not None and (guard in used or isinstance(self.backends.get(guard), SmallerEngine | None)):
                raise ValueError(f"trust.{key} must name an engine of this file that serves no lane, and not a smaller one")
        if self.server.root_path and not self.server.root_path.startswith("/"):
            raise ValueError("server.root_path must start with '/'")

    def _check_routes(self) -> None:
        for task, route in self.routes.items():
            for name in route.backends:
                if name not in self.backends:
                    raise ValueError(f"routes.{task}.backends names the engine '{name}'; there are: {', '.join(sorted(self.backends))}")
            # Tasks of one's own are read when the service starts, and checked then.
            if self.tasks.folder is None and task not in (known := shipped().tasks):
                raise ValueError(f"routes.{task} names no task; there are: {', '.join(sorted(known))}")


def laptop(model: str = "sight-nano", mmproj: str | None = None, server: ServerSettings | None = None) -> Settings:
    """One machine, no GPU: two engine processes over the same memory-mapped weights, one for people, one behind them.

    Beside the bundled model stands its smaller companion, which answers when it is busy; a model of somebody's own looks at fewer pixels.
    """
    smaller = SmallerEngine(of="background", max_pixels=128 * 128)
    companion = LocalEngine(model="sight-pico", threads=1) if model == "sight-nano" else smaller
    return Settings(
        backends={
            "interactive": LocalEngine(model=model, mmproj=mmproj),
            "background": LocalEngine(model=model, mmproj=mmproj, slots=4, background=True),
            "lighter": companion,
        },
        lanes={
            "A": LaneSettings(backends=["interactive"], lighter=["lighter"]),
            "B": LaneSettings(backends=["background"], slots=1, waiting=256, cpu=1),
            "C": LaneSettings(backends=["background"], slots=1, waiting=32, cpu=1),
        },
        server=server or ServerSettings(),
    )


def state_folder(settings: Settings) -> Path:
    """Where the service keeps what outlives it."""
    if settings.state:
        return Path(settings.state).expanduser()
    base = os.environ.get("XDG_STATE_HOME") or "~/.local/state"
    return Path(base).expanduser() / "sightline"


def address(text: str) -> str:
    """An address of the settings with every `${NAME}` replaced by that environment variable, so that no secret has to stand in a file.

    Raises `StartupError` where the variable is not set.
    """

    def value(found: re.Match[str]) -> str:
        if (told := os.environ.get(found[1])) is None:
            raise StartupError(f"The settings name the environment variable {found[1]}, which is not set.")
        return told

    return re.sub(r"\$\{(\w+)\}", value, text)


def load(path: Path, environment: Mapping[str, str] | None = None) -> Settings:
    """The settings of a TOML file, under what the environment says (`SIGHTLINE_SERVER__PORT=9000`).

    Raises `StartupError` with one sentence that names the line, the key, its value and what is allowed.
    """
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not text in UTF-8"
        raise StartupError(f"The configuration file {path} cannot be read: {why}.") from None
    return _read(text, str(path), environment)


def profile(name: str, environment: Mapping[str, str] | None = None) -> Settings:
    """The settings that ship for a kind of machine. Raises `StartupError`."""
    try:
        text = text_of(name)
    except KeyError:
        raise StartupError(f"There is no profile '{name}'; there are: {', '.join(names())}.") from None
    return _read(text, f"profile {name}", environment)


def _read(text: str, source: str, environment: Mapping[str, str] | None) -> Settings:
    try:
        return read(text, source, Settings, os.environ if environment is None else environment)
    except Mistake as mistake:
        raise StartupError(str(mistake)) from None
