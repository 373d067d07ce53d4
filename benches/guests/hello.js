// The greeting of tests/guests/hello, in JavaScript.
export function greet(name) {
  return `Hello, ${name}! Your name has ${[...name].length} letters.`;
}
