"""Python code that computes the explanation on the screen."""

from glasstape_qt.views.detail.detail_requests import ExplanationKey


def python_snippet(address: str, key: ExplanationKey) -> str:
    """Return a program for the SDK that prints the explanation; `address` is host:port of the server."""
    return (
        "from glasstape import Client, in_words\n\n"
        f"with Client({address!r}) as client:\n"
        f"    explanation = client.explain(signals=[{key.sequence}], "
        f"method={str(key.method)!r}, score={str(key.score)!r})[0]\n"
        "    print(explanation.confidence)\n"
        "    print(explanation.heatmap.values)\n"
        "    print(*in_words(explanation), sep='\\n')\n"
    )
