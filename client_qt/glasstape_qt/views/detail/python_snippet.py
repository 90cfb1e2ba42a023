"""Python code that computes the explanations on the screen."""

from glasstape_qt.views.detail.detail_requests import ExplanationKey


def python_snippet(address: str, key: ExplanationKey) -> str:
    """Return a program for the SDK that prints the explanations; `address` is host:port of the server."""
    methods = [method.value for method in key.methods]
    return (
        "from glasstape import Client, in_words, trust_in_words\n\n"
        f"with Client({address!r}) as client:\n"
        f"    for method in {methods!r}:\n"
        f"        explanation = client.explain(signals=[{key.sequence}], method=method, "
        f"score={str(key.score)!r}, quality='full')[0]\n"
        "        print(method, explanation.confidence)\n"
        "        print(explanation.heatmap.values)\n"
        "        print(*trust_in_words(explanation), *in_words(explanation), sep='\\n')\n"
    )
