// What of a transcript is compared. Ids are random; and in these points the server differs from the reference on purpose:
//
// * json_as_spelled: the reference reads JSON and writes it anew; here its text is passed on. Compared is what it means.
// * attachments_as_numbered: the reference numbers attachments anew, leaves out those that no placeholder names, and sends
//   one that is named twice twice; here they are passed on as they came. Compared is the value with its attachments in place.
// * noop: how often an idle GET is answered with `6` does not matter to clients.
// * closed_how: the reference cuts the request, answers the next GET `1` or 400, and closes a WebSocket without a code; here
//   the POST is answered, the GET gets `1`, and the close frame has a code. Either way the transport is gone behind it.
// * overlap_body: the answer to a GET or POST too many has a body here.
// * method: a session's PUT or DELETE is 500 there and 400 here.
// * refused_before_101: a WebSocket that cannot be is refused by HTTP here, and after its handshake there.
//
// Not generated, because the reference takes for well-formed what the protocol does not know, and what it makes of it is no
// more than an accident of JavaScript's numbers and strings; here the transport is closed:
// white space and other spellings of numbers in a packet's head (`42 ["a"]`, `50x1-`, `51.0-`), acknowledgement ids over 64
// bits, placeholders whose number is 0.5 or 1.0, names with half a surrogate, `b` packets that are no base64, POSTs that are
// no UTF-8, EVENT without a payload and ACK without an id (which it ignores), `5` without a probe, `1` on a WebSocket (which
// it ignores), a second WebSocket of a session that began on one.

/** The transcript in the form that is compared. */
export function normalise(transcript) {
  return transcript.map((entry) => {
    if (entry.failed) return entry;
    const closed = entry.after !== undefined || entry.closed;
    const { packets, post, answer, after, ...rest } = entry;
    const normal = { ...rest, packets: messages(packets.filter((packet) => packet !== '6')) };
    if (answer) normal.answer = normaliseAnswer(answer);
    if (post && !closed) normal.post = { status: post.status, body: post.body, type: post.type };
    if (after) { normal.after = { ...after, post: after.post === 0 ? 400 : after.post }; delete normal.type; }
    return normal;
  });
}

/** A session's request that is neither GET nor POST. */
function normaliseAnswer(answer) {
  const refused = answer.own && ['PUT', 'DELETE'].includes(answer.method);
  return refused && (answer.status === 500 || answer.status === 400) ? { refused } : answer;
}

/** Socket.IO messages with their attachments in place; what is none stays as it is. */
function messages(packets) {
  const out = [];
  for (let at = 0; at < packets.length; at += 1) {
    const packet = packets[at];
    const head = typeof packet === 'string' ? /^4([0-6])(?:(\d+)-)?(?:(\/[^,]*),?)?(\d*)([^]*)$/.exec(packet) : null;
    if (packet[0] === '0') { out.push({ open: withoutIds(JSON.parse(packet.slice(1))) }); continue; }
    if (!head) { out.push(packet); continue; }
    const [, kind, count, namespace = '/', id, text] = head;
    const attachments = packets.slice(at + 1, at + 1 + Number(count ?? 0));
    at += attachments.length;
    const json = text === '' ? null : JSON.parse(text);
    out.push({
      kind: { 5: '2', 6: '3' }[kind] ?? kind, namespace, id,
      json: JSON.stringify(count ? inPlace(json, attachments) : kind === '0' ? withoutIds(json) : json),
    });
  }
  return out;
}

function inPlace(json, attachments) {
  if (json === null || typeof json !== 'object') return json;
  if (json._placeholder === true) return { attachment: attachments[json.num]?.binary ?? 'missing' };
  if (Array.isArray(json)) return json.map((item) => inPlace(item, attachments));
  return Object.fromEntries(Object.entries(json).map(([key, value]) => [key, inPlace(value, attachments)]));
}

function withoutIds({ sid, ...rest }) {
  return { sid: typeof sid === 'string' && sid.length >= 20 ? 'an id' : sid, ...rest };
}
