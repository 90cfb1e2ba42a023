// usage: node dist/main.js HOST:PORT [EVENTS]
// Predicts and explains one symbol, then prints events of the feed, one JSON object per line.

import { connect } from "./contract";
import { follow } from "./follow";
import type { ExplainRequest } from "./generated/glasstape/v1/ExplainRequest";
import type { ExplainResponse__Output } from "./generated/glasstape/v1/ExplainResponse";
import type { PredictRequest } from "./generated/glasstape/v1/PredictRequest";
import type { PredictResponse__Output } from "./generated/glasstape/v1/PredictResponse";

function print(value: unknown): void {
  process.stdout.write(JSON.stringify(value) + "\n");
}

/** A unary call as a promise. */
function call<T>(send: (done: (error: Error | null, answer?: T) => void) => unknown): Promise<T> {
  return new Promise((resolve, reject) => {
    send((error, answer) => (error || answer === undefined ? reject(error) : resolve(answer)));
  });
}

/** A map's cells as rows of bars. */
function rows(values: number[], features: number): number[][] {
  return Array.from({ length: values.length / features }, (_, row) =>
    values.slice(row * features, (row + 1) * features),
  );
}

async function main(address: string, limit: number): Promise<void> {
  const { inference, signals } = connect(address);
  const predict = (request: PredictRequest) =>
    call<PredictResponse__Output>((done) => inference.Predict(request, done));
  const explain = (request: ExplainRequest) =>
    call<ExplainResponse__Output>((done) => inference.Explain(request, done));

  /** Prints the confidence of a symbol and its heat map. */
  async function describe(symbol: string): Promise<void> {
    const input = { symbols: { symbols: [symbol] } };
    const predictions = await predict({ input });
    const prediction = predictions.predictions[0];
    // An item that failed has a problem instead of a result.
    print({ predict: prediction?.confidence, problem: prediction?.problem?.message });
    const explanations = await explain({ input, method: "METHOD_INTEGRATED_GRADIENTS" });
    const explanation = explanations.results[0]?.explanation;
    const heatmap = explanation?.heatmap;
    if (heatmap) print({ explain: rows(heatmap.values, heatmap.shape?.features ?? 1), score: explanation.score });
  }

  let seen = 0;
  events: for await (const message of follow(signals, {
    start: "START_EARLIEST",
    delivery: "DELIVERY_EVERY_EVENT",
  })) {
    if (message.opened) print({ opened: message.opened.result, epoch: message.opened.epoch });
    for (const event of message.batch?.events ?? []) {
      // An event points into the model table of its message.
      const model = message.batch?.models[event.modelIndex];
      print({ sequence: event.sequence, kind: event.kind, symbol: event.symbol, model: model?.name });
      seen += 1;
      if (seen === 1) await describe(event.symbol);
      if (seen >= limit) break events;
    }
  }
  inference.close();
  signals.close();
}

const [address = "localhost:50551", limit = "Infinity"] = process.argv.slice(2);
main(address, Number(limit)).catch((error: unknown) => {
  console.error(error);
  process.exitCode = 1;
});
