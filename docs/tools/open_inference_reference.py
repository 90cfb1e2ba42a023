"""Generate docs/reference/open_inference.md from the tables of the facade."""

import sys

from glasstape_server.rpc.oip.table import INPUT, METHODS, OUTPUT, PARAMETERS, UNSUPPORTED, Tensor
from reference_page import publish, table

HEAD = """# Open Inference Protocol

The service `inference.GRPCInferenceService` lets unmodified clients of KServe and Triton call Predict on the server's
port. Everything that these tables do not list is INVALID_ARGUMENT, and the message names it: nothing is ignored.

```
from tritonclient.grpc import InferenceServerClient, InferInput
windows = InferInput("windows", [1, 6, 8], "FP32"); windows.set_data_from_numpy(array)
InferenceServerClient("localhost:50551").infer("sample-conv1d", [windows]).as_numpy("confidences")
```

Triton's load generator needs windows within the range of a feature:
`perf_analyzer -m sample-conv1d -u localhost:50551 -i grpc --input-data zero`.

"""
FORM = """
A request holds the values of its input as one element of `raw_input_contents` (little-endian, row by row) or as
`contents`, not both. The response has the same form, raw or typed, the request's `id`, and the version that predicted.
Without `outputs`, every output is returned. `model_name` is required; without a `model_version` the newest version
predicts.

"""
OTHERS = "Other methods, such as `ModelStreamInfer` and those of shared memory, are UNIMPLEMENTED.\n"
NONE = "Inputs and requested outputs take no parameters. Refused are, besides unknown ones:\n\n"


def main() -> int:
    """Write or check the page; return the exit status."""
    methods = table(("Method", "Description"), [(f"`{name}`", text) for name, text in METHODS.items()])
    tensors = table(
        ("Tensor", "Name", "Datatype", "Shape", "Contents", "Description"),
        [_row("input", INPUT), _row("output", OUTPUT)],
    )
    accepted = table(
        ("Parameter of a request", "Type", "Description"),
        [(f"`{each.name}`", f"`{each.kind}`", each.text) for each in PARAMETERS],
    )
    refused = table(
        ("Field", "Refused parameters"),
        [(f"`{field}`", ", ".join(f"`{name}`" for name in names)) for field, names in UNSUPPORTED.items()],
    )
    page = f"{HEAD}## Methods\n\n{methods}\n{OTHERS}\n## Tensors\n\n{tensors}{FORM}"
    page += f"## Parameters\n\n{accepted}\n{NONE}{refused}"
    return publish("open_inference.md", page)


def _row(role: str, tensor: Tensor) -> tuple[str, ...]:
    return (
        role,
        f"`{tensor.name}`",
        tensor.datatype,
        f"`{tensor.shape}`",
        f"`{tensor.contents}`",
        tensor.text,
    )


if __name__ == "__main__":
    sys.exit(main())
