// As `actions/examples/add`.
function main({ param1, param2 }) {
  if (typeof param1 !== 'number') throw 'Expected param1 to be present';
  if (typeof param2 !== 'number') throw 'Expected param2 to be present';
  return { result: param1 + param2 };
}
