# The tables of scripts/bench-peers from its lines of JSON. Figures are medians, ratios are those of the medians.
def median: sort | if length == 0 then null else (.[(length - 1) / 2 | floor] + .[length / 2 | floor]) / 2 end;
def shown:
    if . == null then "-" elif . >= 1000 then round | tostring elif . >= 100 then . * 10 | round / 10 | tostring
    else . * 100 | round / 100 | tostring end;
def over($other): if . == null or $other == null or $other == 0 then null else . / $other end;

. as $all
| [$all[] | select(.failed or .missing | not)] as $lines
| def of($case; $peer; $kind; $key):
    [$lines[] | select(.case == $case and .peer == $peer and .kind == $kind) | .[$key] | select(. != null)] | median;
  def failures($case; $peer; $kind):
    [$all[] | select(.failed and .case == $case and .peer == $peer and .kind == $kind)] | length;
  # A figure, or how often there was none.
  def cell($case; $peer; $kind; value):
    value | if . == null and failures($case; $peer; $kind) > 0 then "FAILED" else shown end;
  def rows($cases):
    reduce ($all[] | select(.case as $case | $cases | index($case)) | {peer, kind, title}) as $row
        ([]; if any(.[]; .peer == $row.peer and .kind == $row.kind) then . else . + [$row] end)
    | map(.peer) as $peers
    # The kinds of one peer stand together, in the order of the peers.
    | sort_by(.peer as $peer | $peers | index($peer));
  def missing:
    reduce ($all[] | select(.missing)) as $line ([]; if any(.[]; .peer == $line.peer) then . else . + [$line] end);
  def clients($line):
    if $line.kind == "tls" then "WebSocket, TLS" elif $line.kind == "polling" then "Socket.IO, long polling"
    elif $line.protocol == "socketio" then "Socket.IO" elif $line.protocol == "pusher" then "Pusher protocol, WebSocket"
    else "WebSocket" end;
  def times_tidings($case; $peer; $kind; $key):
    (if $kind == "polling" or $kind == "tls" then $kind elif ([$lines[] | select(.peer == $peer and .kind == $kind)][0].protocol == "socketio")
        and $case != "accept" then "socketio" else $kind end) as $own
    | of($case; $peer; $kind; $key) | over(of($case; "tidings"; $own; $key));

  (rows(["paced", "saturated"]) as $rows
    | if ($rows | length) == 0 then empty else
        "| server | CPU us per delivery, paced | to the floor | to tidings | p50 ms | p99 ms | deliveries/s, \($in_flight) in flight | to the floor by \($in_flight) | to tidings |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- |",
        ($rows[] | . as {$peer, $kind, $title}
            | "| \($title) | " + ([
                cell("paced"; $peer; $kind; of("paced"; $peer; $kind; "server_cpu_us_per_delivery")),
                (of("paced"; $peer; $kind; "server_cpu_us_per_delivery")
                    | over(of("paced"; "floor"; "websocket"; "server_cpu_us_per_delivery")) | shown),
                (times_tidings("paced"; $peer; $kind; "server_cpu_us_per_delivery") | shown),
                (of("paced"; $peer; $kind; "p50_ms") | shown),
                (of("paced"; $peer; $kind; "p99_ms") | shown),
                cell("saturated"; $peer; $kind; of("saturated"; $peer; $kind; "per_second")),
                (of("saturated"; $peer; $kind; "per_second")
                    | over(of("saturated"; "floor"; "coalesced"; "per_second")) | shown),
                (times_tidings("saturated"; $peer; $kind; "per_second") | shown)
            ] | join(" | ")) + " |"),
        (missing[] | "| \(.peer) | MISSING: \(.missing) | | | | | | | |"),
        ""
    end),

  (rows(["accept"]) as $rows
    | if ($rows | length) == 0 then empty else
        "| server | CPU us per handshake with a JWT | handshakes per second of CPU | tidings' to its | handshakes/s |",
        "| --- | --- | --- | --- | --- |",
        ($rows[] | . as {$peer, $kind, $title}
            | of("accept"; $peer; $kind; "server_cpu_us_per_handshake") as $cpu
            | "| \($title) | " + ([
                cell("accept"; $peer; $kind; $cpu),
                (1000000 | over($cpu) | shown),
                ($cpu | over(of("accept"; "tidings"; "accept"; "server_cpu_us_per_handshake")) | shown),
                (of("accept"; $peer; $kind; "handshakes_per_second") | shown)
            ] | join(" | ")) + " |"),
        ""
    end),

  (rows(["idle"]) as $rows
    | if ($rows | length) == 0 then empty else
        "| server | clients | KB resident per idle connection | to tidings | MB before | MB with \([$lines[] | select(.case == "idle")][0].connections) |",
        "| --- | --- | --- | --- | --- | --- |",
        ($rows[] | . as {$peer, $kind, $title}
            | "| \($title) | " + ([
                clients([$all[] | select(.case == "idle" and .peer == $peer and .kind == $kind)] | last),
                cell("idle"; $peer; $kind; of("idle"; $peer; $kind; "rss_kb_idle_per_connection")),
                (times_tidings("idle"; $peer; $kind; "rss_kb_idle_per_connection") | shown),
                (of("idle"; $peer; $kind; "rss_kb_before") | over(1024) | shown),
                (of("idle"; $peer; $kind; "rss_kb_idle") | over(1024) | shown)
            ] | join(" | ")) + " |"),
        ""
    end),

  # A server that was measured beyond the time of the load had fallen behind it.
  ($lines | map(select(.case == "paced" and .wall_s > .deliveries / .connections / .rate * 1.1)) | group_by(.title)[]
    | "- \(.[0].title) could not keep up with \(.[0].rate) messages a second: it took \(map(.wall_s) | median | shown) s for \(.[0].deliveries / .[0].connections / .[0].rate | shown) s of them, and its latencies are those of a queue."),
  ([$all[] | select(.failed)] | group_by([.case, .title, .failed])[]
    | "- FAILED \(length) times: \(.[0].title), \(.[0].case): \(.[0].failed)")
