"""`python -m services.inference.rpc.generate`: write the Python of open_inference.proto again (needs grpcio-tools)."""

from __future__ import annotations

from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parents[2]


def main(out: Path = ROOT) -> None:
    """Write open_inference_pb2.py, its types and open_inference_pb2_grpc.py below `out`."""
    from grpc_tools import protoc  # noqa: PLC0415 - a tool of development, not of the service

    proto = HERE / "open_inference.proto"
    # protoc names the modules after the path below its root: their imports then hold from anywhere.
    code = protoc.main(
        ["protoc", f"-I{ROOT}", f"--python_out={out}", f"--pyi_out={out}", f"--grpc_python_out={out}", str(proto)]
    )
    if code:
        raise SystemExit(f"protoc failed on {proto.name} ({code})")


if __name__ == "__main__":
    main()
