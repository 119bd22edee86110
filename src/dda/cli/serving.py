"""The verb for a page of one's own."""

from typing import Annotated

import typer

from dda.cli.application import app


@app.command()
def web(
    model: Annotated[
        str, typer.Option(help="A detector, by whatever names one to `dda detect`.")
    ] = "artifacts/detectors/embedded",
    host: Annotated[
        str, typer.Option(help="The address to listen on; others than this one let others in.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes any free one.")] = 7861,
    name: Annotated[
        list[str] | None, typer.Option(help="A further host that it is known by, such as a proxy's.")
    ] = None,
    max_image_mb: Annotated[float, typer.Option(min=0.001, help="Of one file.")] = 20,
    max_request_mb: Annotated[float, typer.Option(min=0.001, help="Of all files that are sent at once.")] = 100,
    max_images: Annotated[int, typer.Option(min=1, help="That are sent at once.")] = 20,
    max_megapixels: Annotated[float, typer.Option(min=0.001, help="Of one image.")] = 50,
    max_waiting: Annotated[int, typer.Option(min=0, help="Requests that may wait for a free core.")] = 128,
    max_seconds: Annotated[float, typer.Option(min=0.1, help="For an answer.")] = 120,
) -> None:
    """A page on this machine: drop images, see verdicts, heatmaps and facts. Nothing leaves the machine."""
    from dda.app import web as verb

    limits = verb.Limits(
        image_bytes=int(max_image_mb * verb.MB),
        request_bytes=int(max_request_mb * verb.MB),
        n_images=max_images,
        image_pixels=int(max_megapixels * verb.MB),
        n_waiting=max_waiting,
        answer_s=max_seconds,
    )
    verb.run(model, verb.Place(host, port, tuple(name or ())), limits)
