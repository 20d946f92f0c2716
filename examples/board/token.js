// The user's token. It comes in the fragment of the link that `tidings demo` prints, which no browser sends to a server, and
// is kept for this tab alone.

const KEY = 'tidings.token';

/** The token of the address or, without one there, the one that was kept; null if there is none. */
export function takeToken() {
  const given = new URLSearchParams(location.hash.slice(1)).get('token');
  if (given) {
    sessionStorage.setItem(KEY, given);
    // Neither a bookmark nor whoever looks on needs it.
    history.replaceState(null, '', location.pathname);
  }
  return sessionStorage.getItem(KEY);
}

/** Whose token it is, as far as one can read it; whether it is good is the server's to say. */
export function subjectOf(token) {
  try {
    const base64 = token.split('.')[1].replaceAll('-', '+').replaceAll('_', '/');
    const bytes = Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
    const { sub } = JSON.parse(new TextDecoder().decode(bytes));
    return sub === undefined ? '' : String(sub);
  } catch {
    return '';
  }
}
