-- Evaluates code for a debugger's user, as a script would: an expression, or else statements. Gives whether it ran, and its
-- value or why not.
local code = ...
local run, problem = loadstring('return ' .. code, '@ldb_eval')
if not run then
  run, problem = loadstring(code, '@ldb_eval')
end
if not run then
  return false, problem
end
return pcall(run)
