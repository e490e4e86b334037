-- Sends the requests of a file, one a line, over and over: "POST path body" or "GET path".
local requests = {}
local errors = 0

function init(args)
  local headers = { ["Content-Type"] = "application/json", ["Accept"] = "application/json" }
  for name, value in pairs(wrk.headers) do headers[name] = value end
  for line in io.lines(args[1]) do
    local method, path, body = line:match("^(%u+) (%S+) ?(.*)$")
    requests[#requests + 1] = wrk.format(method, path, headers, method == "POST" and body or nil)
  end
  if args[2] == "look" then
    function response(status, headers, body)
      if status ~= 200 or body:find('"errors"', 1, true) then wrk.thread:set("failed", wrk.thread:get("failed") + 1) end
    end
  end
end

failed = 0
local n = 0
local threads = {}

function setup(thread)
  threads[#threads + 1] = thread
end

function request()
  n = n % #requests + 1
  return requests[n]
end

function done(summary, latency, _)
  local failures = summary.errors.connect + summary.errors.read + summary.errors.write
    + summary.errors.status + summary.errors.timeout
  for _, thread in ipairs(threads) do failures = failures + (thread:get("failed") or 0) end
  io.write(string.format(
    '\n{"requests": %d, "microseconds": %d, "bytes": %d, "failures": %d, "p50": %d, "p95": %d}\n',
    summary.requests, summary.duration, summary.bytes, failures,
    latency:percentile(50), latency:percentile(95)))
end
