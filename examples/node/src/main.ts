// usage: node dist/main.js HOST:PORT [EVENTS]
// Predicts and explains one symbol, then prints events of the feed, one JSON object on a line.

import { connect } from "./contract";
import { follow } from "./follow";
import type { ExplainRequest } from "./generated/glasstape/v1/ExplainRequest";
import type { ExplainResponse__Output } from "./generated/glasstape/v1/ExplainResponse";
import type { PredictRequest } from "./generated/glasstape/v1/PredictRequest";
import type { PredictResponse__Output } from "./generated/glasstape/v1/PredictResponse";

function say(value: unknown): void {
  process.stdout.write(JSON.stringify(value) + "\n");
}

/** A unary call as a promise. */
function call<T>(send: (done: (error: Error | null, answer?: T) => void) => unknown): Promise<T> {
  return new Promise((resolve, reject) => {
    send((error, answer) => (error || answer === undefined ? reject(error) : resolve(answer)));
  });
}

/** A map's little-endian float32 cells as rows of bars. */
function cells(values: Buffer, features: number): number[][] {
  const numbers = Array.from({ length: values.length / 4 }, (_, n) => values.readFloatLE(4 * n));
  return Array.from({ length: numbers.length / features }, (_, row) =>
    numbers.slice(row * features, (row + 1) * features),
  );
}

async function main(address: string, events: number): Promise<void> {
  const { inference, signals } = connect(address);
  const predict = (request: PredictRequest) =>
    call<PredictResponse__Output>((done) => inference.Predict(request, done));
  const explain = (request: ExplainRequest) =>
    call<ExplainResponse__Output>((done) => inference.Explain(request, done));

  let explained = false;
  let seen = 0;
  for await (const message of follow(signals, { start: "START_EARLIEST", delivery: "DELIVERY_EVERY_EVENT" })) {
    if (message.opened) say({ opened: message.opened.result, epoch: message.opened.epoch });
    for (const event of message.batch?.events ?? []) {
      say({ sequence: event.sequence, kind: event.kind, symbol: event.symbol });
      seen += 1;
      if (!explained) {
        explained = true;
        const input = { symbols: { symbols: [event.symbol] } };
        const predicted = (await predict({ input })).predictions[0];
        say({ predict: predicted?.confidence });
        const made = (await explain({ input, method: "METHOD_INTEGRATED_GRADIENTS" })).explanations[0];
        const heatmap = made?.heatmap;
        if (heatmap) say({ explain: cells(heatmap.values, heatmap.shape?.features ?? 1), score: made.score });
      }
    }
    if (seen >= events) break;
  }
  inference.close();
  signals.close();
}

const [address = "localhost:50551", events = "Infinity"] = process.argv.slice(2);
main(address, Number(events)).catch((error: unknown) => {
  console.error(error);
  process.exitCode = 1;
});
