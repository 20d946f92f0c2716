/** The text of a request's body. */
export async function readBody(request) {
  let text = '';
  request.setEncoding('utf8');
  for await (const part of request) text += part;
  return text;
}
