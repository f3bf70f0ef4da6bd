"""The Open Inference Protocol V2 over gRPC, beside the HTTP calls in the same process."""
