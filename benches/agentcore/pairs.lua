-- Starts threads, and approves each of them on whichever connection is free next; at the end one line.

local waiting, first, last, started = {}, 1, 0, 0
-- Read by `done`, in another Lua state.
approved, failed = 0, 0
local threads = {}

function setup(thread)
  table.insert(threads, thread)
end

function init()
  wrk.method = "POST"
  wrk.headers["Content-Type"] = "application/json"
end

function request()
  if first <= last then
    local review = waiting[first]
    waiting[first], first = nil, first + 1
    local verdict = '{"action":"approve","thread_id":"%s","digest":"%s","operator":"mara","roles":["refund-approver"]}'
    return wrk.format(nil, nil, nil, string.format(verdict, review.thread, review.digest))
  end
  started = started + 1
  local start = '{"thread_id":"ticket-%d","message":"Please refund order A-9133, it arrived broken. I paid $149."}'
  return wrk.format(nil, nil, nil, string.format(start, started))
end

function response(status, _, body)
  local digest = body:match('"digest":"(%x+)"')
  if status ~= 200 then
    failed = failed + 1
  elseif digest then
    last = last + 1
    waiting[last] = { thread = body:match('"thread":"([^"]+)"'), digest = digest }
  elseif body:find('"standing":"ended"', 1, true) then
    approved = approved + 1
  end
end

function done(summary, latency)
  local errors, thread = summary.errors, threads[1]
  local lost = errors.connect + errors.read + errors.write + errors.timeout
  io.write(string.format(
    "pairs/s %.0f, p50 %.1f ms, p99 %.1f ms, requests %d, failed %d\n",
    thread:get("approved") / (summary.duration / 1e6), latency:percentile(50) / 1000, latency:percentile(99) / 1000,
    summary.requests, thread:get("failed") + lost))
end
