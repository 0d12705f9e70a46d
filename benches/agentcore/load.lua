-- The body to send, if any, is the argument; at the end one line of JSON.

function init(args)
  if args[1] then
    wrk.method, wrk.body = "POST", args[1]
    wrk.headers["Content-Type"] = "application/json"
  end
end

function done(summary, latency)
  local errors = summary.errors
  local failed = errors.connect + errors.read + errors.write + errors.status + errors.timeout
  local line = '\n{"requests": %d, "seconds": %f, "p50": %f, "p99": %f, "failed": %d}\n'
  local ms = 1000
  io.write(string.format(
    line, summary.requests, summary.duration / 1e6, latency:percentile(50) / ms, latency:percentile(99) / ms, failed))
end
