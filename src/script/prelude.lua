-- The world of scripts, made once: what they may use, none of it changeable.
--
-- Plain Lua 5.1 has no read-only tables, so what is shared is shown through empty proxies, and the functions
-- that look past metatables (next, rawset, table.insert, ...) know proxies. Tables of a script's own are as in
-- any Lua. A failure of a native function is a userdata here; scripts never see one: whatever catches failures
-- turns it into the table or text that it stands for.

local native, pattern_limit = ...
local error, type, select, tostring, tonumber = error, type, select, tostring, tonumber
local getmetatable, setmetatable, rawget, rawset, next = getmetatable, setmetatable, rawget, rawset, next
local pairs, pcall, xpcall, loadstring, unpack = pairs, pcall, xpcall, loadstring, unpack
local find, match, gmatch, gsub, sub, byte = string.find, string.match, string.gmatch, string.gsub, string.sub, string.byte
local insert, remove, foreach, concat = table.insert, table.remove, table.foreach, table.concat
local resume = coroutine.resume
local raised = native.raised

local READONLY = 'Attempt to modify a readonly table'

-- Every proxy, with what it shows.
local shown = {}

local function refuse()
  error(READONLY, 2)
end

local function freeze(table)
  local proxy = setmetatable({}, { __index = table, __newindex = refuse })
  shown[proxy] = table
  return proxy
end

local function copy(from, names)
  local to = {}
  for name in gmatch(names, '%S+') do
    to[name] = from[name]
  end
  return to
end

-- What a caught failure is to a script.
local function plain(failure)
  if type(failure) == 'userdata' then
    failure = raised(failure)
  end
  if type(failure) == 'string' then
    -- the place is one in this file
    failure = gsub(failure, '^ruddle:%d+: ', '')
  end
  return failure
end

local function caught(ok, ...)
  if ok then
    return true, ...
  end
  return false, plain((...))
end

-- As `caught`; a table is only its text.
local function caught_as_text(ok, ...)
  if ok then
    return true, ...
  end
  local failure = plain((...))
  if type(failure) == 'table' then
    local text = failure.err
    if type(text) == 'string' or type(text) == 'number' then
      failure = text
    end
  end
  return false, failure
end

local function check_pattern(pattern)
  if type(pattern) == 'string' and #pattern > pattern_limit then
    error('pattern too complex', 3)
  end
end

local globals = copy(_G, '_VERSION assert collectgarbage error gcinfo ipairs rawequal select tonumber tostring type')

function globals.getmetatable(value)
  if type(value) == 'string' then
    return native.string_metatable
  end
  if shown[value] then
    return shown[value] == globals and native.globals_metatable or nil
  end
  return getmetatable(value)
end

function globals.setmetatable(table, metatable)
  if shown[table] then
    error(READONLY, 0)
  end
  return setmetatable(table, metatable)
end

function globals.rawset(table, key, value)
  if shown[table] then
    error(READONLY, 0)
  end
  return rawset(table, key, value)
end

function globals.rawget(table, key)
  return rawget(shown[table] or table, key)
end

function globals.next(table, key)
  return next(shown[table] or table, key)
end

function globals.pairs(table)
  local source = shown[table]
  if source then
    local entries = {}
    for key, value in next, source do
      entries[key] = value
    end
    table = entries
  end
  return pairs(table)
end

function globals.pcall(...)
  return caught_as_text(pcall(...))
end

function globals.xpcall(run, handler)
  return xpcall(run, function(failure)
    return handler(plain(failure))
  end)
end

-- More values than fit a C function's stack are refused before numbers overflow.
function globals.unpack(list, first, last)
  local from, to = tonumber(first) or 1, tonumber(last)
  if to and to - from >= 8000 then
    error('too many results to unpack', 2)
  end
  -- each argument given takes the place of a result
  if last ~= nil then
    return unpack(list, first, last)
  elseif first ~= nil then
    return unpack(list, first)
  end
  return unpack(list)
end

-- Text only: compiled code could do anything to the interpreter. The name is kept alive until the parser, which
-- does not, has stored it.
function globals.loadstring(source, name)
  if type(source) == 'number' then
    source = tostring(source)
  end
  if type(source) == 'string' and byte(source) == 27 then
    return nil, native.binary_refused
  end
  if type(name) == 'number' then
    name = tostring(name)
  end
  if type(source) == 'string' and (name == nil or type(name) == 'string') then
    name = match(name or source, '^[^%z]*')
  end
  local code, problem = loadstring(source, name)
  return code, problem
end

function globals.load(read, name)
  local parts = {}
  local ok, problem = pcall(function()
    while true do
      local part = read()
      if part == nil or part == '' then
        return
      end
      if type(part) ~= 'string' then
        error('reader function must return a string', 0)
      end
      parts[#parts + 1] = part
    end
  end)
  if not ok then
    return nil, plain(problem)
  end
  return globals.loadstring(concat(parts), name or '=(load)')
end

local strings = copy(string, 'byte char dump format len lower rep reverse sub upper')

function strings.find(text, pattern, from, plainly)
  if not plainly then
    check_pattern(pattern)
  end
  return find(text, pattern, from, plainly)
end

function strings.match(text, pattern, from)
  check_pattern(pattern)
  return match(text, pattern, from)
end

function strings.gmatch(text, pattern)
  check_pattern(pattern)
  return gmatch(text, pattern)
end

function strings.gsub(text, pattern, ...)
  check_pattern(pattern)
  return gsub(text, pattern, ...)
end

strings.gfind = strings.gmatch

local tables = copy(table, 'concat foreachi getn maxn setn sort')

function tables.insert(table, ...)
  if shown[table] then
    error(READONLY, 0)
  end
  return insert(table, ...)
end

function tables.remove(table, ...)
  return remove(table, ...)
end

function tables.foreach(table, visit)
  return foreach(shown[table] or table, visit)
end

local coroutines = copy(coroutine, 'create running status wrap yield')

function coroutines.resume(...)
  return caught(resume(...))
end

local maths = copy(math, [[abs acos asin atan atan2 ceil cos cosh deg exp floor fmod frexp huge ldexp log log10 max
  min mod modf pi pow rad sin sinh sqrt tan tanh]])
maths.random, maths.randomseed = native.random, native.randomseed

-- What the server gives.
local redis = native.redis
local RIGHT_WORD = 'ERR wrong number or type of arguments'

function redis.pcall(...)
  local ok, reply = pcall(redis.call, ...)
  if ok then
    return reply
  end
  return raised(reply)
end

-- What C takes for the text: what comes before the first zero byte.
local function until_zero(text)
  local zero = find(text, '\0', 1, true)
  return zero and sub(text, 1, zero - 1) or text
end

function redis.error_reply(...)
  local text = ...
  if select('#', ...) ~= 1 or type(text) ~= 'string' then
    return { err = RIGHT_WORD }
  end
  text = until_zero(text)
  if byte(text) == 45 then
    text = sub(text, 2)
  end
  if not find(text, ' ', 1, true) then
    text = 'ERR ' .. text
  end
  return { err = text }
end

function redis.status_reply(...)
  local text = ...
  if select('#', ...) ~= 1 or type(text) ~= 'string' then
    return { err = RIGHT_WORD }
  end
  return { ok = text }
end

if not native.functions then
  function redis.replicate_commands()
    return true
  end

  -- Outside a debugging session these do nothing.
  redis.breakpoint, redis.debug = native.breakpoint, native.debug
end

globals.string, globals.table, globals.coroutine = freeze(strings), freeze(tables), freeze(coroutines)
globals.math, globals.os = freeze(maths), freeze({ clock = os.clock })
globals.redis = freeze(redis)
for name, library in next, native.libraries do
  globals[name] = freeze(library)
end

-- The environment of all scripts. What it shows is changed only while a library is loaded.
local face = { __index = globals, __newindex = refuse }
local environment = setmetatable({}, face)
shown[environment] = globals
globals._G = environment

local function missing(_, name)
  error("Script attempted to access nonexistent global variable '" .. tostring(name) .. "'", 2)
end

setmetatable(globals, { __index = missing })
native.globals_metatable = freeze({ __index = missing })
getmetatable('').__index = strings
native.string_metatable = freeze({ __index = globals.string })

-- What a library registers while it is loaded.
local registered

local function fail(text)
  error({ err = 'ERR ' .. text }, 0)
end

local function is_text(value)
  return type(value) == 'string' or type(value) == 'number'
end

-- Each argument that may have a name: where it is kept, and what is said if it is not what it must be.
local named = {
  function_name = function(entry, value)
    if not is_text(value) then
      fail('function_name argument given to redis.register_function must be a string')
    end
    entry.name = tostring(value)
  end,
  description = function(entry, value)
    if not is_text(value) then
      fail('description argument given to redis.register_function must be a string')
    end
    entry.description = tostring(value)
  end,
  callback = function(entry, value)
    if type(value) ~= 'function' then
      fail('callback argument given to redis.register_function must be a function')
    end
    entry.callback = value
  end,
  flags = function(entry, value)
    if type(value) ~= 'table' then
      fail('flags argument to redis.register_function must be a table representing function flags')
    end
    local seen, bits = {}, 0
    for _, flag in ipairs(value) do
      local bit = native.flags[flag] or fail('unknown flag given')
      if not seen[bit] then
        seen[bit], bits = true, bits + bit
      end
    end
    entry.flags = bits
  end,
}

local function register(...)
  if not registered then
    fail('redis.register_function can only be called on FUNCTION LOAD command')
  end
  local count, first, callback = select('#', ...), ...
  local entry = { flags = 0 }
  if count < 1 or count > 2 then
    fail('wrong number of arguments to redis.register_function')
  elseif count == 2 then
    if not is_text(first) then
      fail('first argument to redis.register_function must be a string')
    elseif type(callback) ~= 'function' then
      fail('second argument to redis.register_function must be a function')
    end
    entry.name, entry.callback = tostring(first), callback
  elseif type(first) ~= 'table' then
    fail('calling redis.register_function with a single argument is only applicable to Lua table (representing named arguments).')
  else
    for name, value in next, first do
      if not is_text(name) then
        fail('named argument key given to redis.register_function is not a string')
      end
      local take = named[string.lower(name)] or fail('unknown argument given to redis.register_function')
      take(entry, value)
    end
    if not entry.name then
      fail('redis.register_function must get a function name argument')
    elseif not entry.callback then
      fail('redis.register_function must get a callback argument')
    end
  end
  if not match(entry.name, '^[%w_]+$') or find(entry.name, '%z') then
    fail(native.bad_name)
  end
  for _, other in ipairs(registered) do
    if string.lower(other.name) == string.lower(entry.name) then
      fail('Function already exists in the library')
    end
  end
  registered[#registered + 1] = entry
end

-- All that a library sees while it is loaded; what its functions see later is the environment of all.
local loading = { redis = freeze(setmetatable(copy(redis,
  'LOG_DEBUG LOG_VERBOSE LOG_NOTICE LOG_WARNING REDIS_VERSION REDIS_VERSION_NUM log'), { __index = missing })) }
shown[loading.redis].register_function = register
setmetatable(loading, { __index = missing })

-- Runs a library's text. Gives what it has registered.
local function load(chunk)
  registered = {}
  face.__index, shown[environment] = loading, loading
  local ok, problem = xpcall(chunk, native.handle)
  face.__index, shown[environment] = globals, globals
  local list = registered
  registered = nil
  return ok, ok and list or problem
end

return environment, globals, load
