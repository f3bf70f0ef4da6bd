"""The stateless model server: one release, scored with ONNX Runtime."""
