"""The model zoo: manifest, fetch and verify, prepare, ONNX Runtime sessions, licences."""
