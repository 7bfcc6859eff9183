"""The bounds of the gate. Everything that a stranger's input could make large, slow or private has its limit here."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network

MB = 1_000_000


@dataclass(frozen=True, slots=True)
class MediaSettings:
    """What an operator may choose; the defaults suit a laptop and a small server alike."""

    # One input.
    most_bytes: int = 32 * MB
    """Bytes of one input as it comes."""
    most_pixels: int = 50 * MB
    """Pixels of one picture or video frame, read in the header before anything is decoded."""
    most_pages: int = 200
    """Pages of one document."""
    most_video_seconds: float = 3600.0
    """Length (s) of a video that is opened at all; how much of it is used is the caller's policy."""
    most_frames: int = 60
    """Frames of one video that are shown to a model, however long it is and however often it asks."""
    frames_per_second: float = 2.0
    """How densely a video is sampled (1/s) while it stays under `most_frames`."""
    video_pictures: int = 8
    """All frames of a video together are shown with the pixels of so many pictures, so that many frames are small ones."""
    input_seconds: float = 20.0
    """Time (s) to decode one input; then its worker is killed."""
    probe_seconds: float = 5.0
    """Time (s) to read the headers of one document or video."""

    # The whole process: base (about 120 MB) + held + decoded bounds its memory.
    held_bytes: int = 768 * MB
    """Bytes of all inputs that are held at a time; beyond it new ones are told to come back (2001)."""
    decoded_bytes: int = 512 * MB
    """Bytes of decoded pixels in work at a time; beyond it decoding waits."""
    worker_bytes: int = 2048 * MB
    """Address space of one decoder process."""
    quarantine_seconds: float = 3600.0
    """How long (s) an input that took decoder processes down is kept out."""
    worker_idle_seconds: float = 120.0
    """An idle decoder process ends after so long (s)."""

    # Fetching.
    connect_seconds: float = 5.0
    """Time (s) to resolve and connect, each hop."""
    idle_seconds: float = 5.0
    """Longest silence (s) of a peer."""
    fetch_seconds: float = 20.0
    """Time (s) for one address, redirects and all."""
    most_redirects: int = 3
    most_connections: int = 64
    """Connections open at a time to all hosts together."""
    ports: frozenset[int] = frozenset({80, 443})
    """Ports that may be asked."""
    allow_hosts: tuple[str, ...] = ()
    """When not empty, only these hosts: `example.com`, or `*.example.com` for everything under it."""
    deny_hosts: tuple[str, ...] = ()
    """Never these hosts; same form. Deny wins over allow."""
    private_networks: tuple[IPv4Network | IPv6Network, ...] = ()
    """Networks that are not public and may be asked all the same."""

    # What an engine gets.
    jpeg_quality: int = 90
    """Of frames that are sent as JPEG; colour is halved only where there is hardly any."""
    document_dpi: int = 200
    """Resolution of a page where the budget allows it."""

    @property
    def version(self) -> str:
        """Names the choices that change pixels."""
        return f"{self.frames_per_second:g}.{self.most_frames}.{self.video_pictures}.{self.jpeg_quality}.{self.document_dpi}"
