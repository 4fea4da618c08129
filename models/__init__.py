"""The model zoo: manifest, fetch and verify, prepare, ONNX Runtime sessions, licences.

ONNX Runtime's wheels report usage over the network unless they are told not to before they are first imported.
Renzheng sends nothing anywhere, so importing this package tells them; an operator who wants otherwise may set the
variable beforehand.
"""

import os

os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
