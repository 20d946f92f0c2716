// Telling two samples of times from each other, or not.

export const median = (values) => {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
};

/**
 * How likely a value of `one` is smaller than a value of `other` (Mann and Whitney's U, over all pairs): 1/2 where nobody could
 * tell the two from each other, 1 or 0 where everybody could.
 */
export function precedence(one, other) {
  const all = [...one.map((value) => [value, 0]), ...other.map((value) => [value, 1])].sort(([a], [b]) => a - b);
  let rankSum = 0;
  for (let start = 0; start < all.length;) {
    let end = start;
    while (end < all.length && all[end][0] === all[start][0]) end += 1;
    // Equal values share the mean of their ranks.
    const rank = (start + 1 + end) / 2;
    for (let place = start; place < end; place += 1) if (all[place][1] === 1) rankSum += rank;
    start = end;
  }
  return (rankSum - other.length * (other.length + 1) / 2) / (one.length * other.length);
}
