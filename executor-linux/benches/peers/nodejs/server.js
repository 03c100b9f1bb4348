// An OpenWhisk action in JavaScript: one process is one container. `/init` brings source text, which is evaluated; `/run`
// calls its function.
//
// OpenWhisk's own nodejs runtime is on no package registry. This is in its place, and does less: the same express with the
// same parser of bodies, the same kind of evaluation (`eval` of a function around the source that gives back `main`), the
// same variables of the environment; but no archives, no platform other than OpenWhisk, no marks in the log after each run.
'use strict';

const express = require('express');

const BODY_MAX = '48mb';

let main;

function init(message) {
  const { main: name, code, env } = message.value ?? {};
  if (main) throw { status: 403, error: 'Cannot initialize the action more than once.' };
  if (typeof name !== 'string' || typeof code !== 'string') throw { status: 403, error: 'Missing main/no code to execute.' };
  for (const [key, value] of Object.entries(env ?? {})) {
    process.env[key] = typeof value === 'string' ? value : JSON.stringify(value);
  }
  const found = eval(`(function () { ${code}\nreturn ${name}; })()`);
  if (typeof found !== 'function') throw { status: 502, error: `${name} is not a function.` };
  main = found;
  return { OK: true };
}

async function run(message) {
  if (!main) throw { status: 403, error: 'System not initialized.' };
  for (const [key, value] of Object.entries(message)) {
    if (typeof value === 'string') process.env[`__OW_${key.toUpperCase()}`] = value;
  }
  const result = (await main(message.value ?? {})) ?? {};
  if (typeof result !== 'object') throw { status: 502, error: 'The action did not return a dictionary.' };
  return result;
}

const answer = (serve) => (request, response) => {
  new Promise((resolve) => resolve(serve(request.body ?? {}))).then(
    (result) => response.status(200).json(result),
    (error) => response.status(error.status ?? 502).json({ error: error.error ?? String(error) }),
  );
};

const [host, port] = process.argv[process.argv.indexOf('--listen') + 1].split(':');
const app = express();
app.use(express.json({ limit: BODY_MAX }));
app.post('/init', answer(init));
app.post('/run', answer(run));
const server = app.listen(Number(port), host, () => {
  const at = server.address();
  console.error(`listening on ${at.address}:${at.port}`);
});
// Connections are kept for as long as clients like.
server.timeout = 0;
server.keepAliveTimeout = 0;
