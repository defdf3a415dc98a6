# Tells the tests in Rust files from the rest, for .ci/laws and .ci/size.
#
#   awk -v mode=count -f .ci/rust.awk FILE... pass=2 FILE...    lines, lines of tests, path
#   awk -v mode=code -f .ci/rust.awk FILE... pass=2 FILE...     the code itself, without tests and comments
#
# A test is what stands under `#[cfg(test)]`: an item of the file, or a file or folder that a `mod` names.
# It reads code as rustfmt writes it. The first pass finds the files, the second one counts.

function folder(path) { sub(/[^\/]*$/, "", path); return path }

function mark_file(line, own,    name, base) {
  sub(/;$/, "", line)
  sub(/^.*mod /, "", line)
  name = line
  if (own != "") { in_test[folder(FILENAME) own] = 1; return }
  base = FILENAME
  if (base ~ /(^|\/)(mod|lib|main)\.rs$/) base = folder(base)
  else sub(/\.rs$/, "/", base)
  in_test[base name ".rs"] = 1
  test_folder[base name "/"] = 1
}

function is_test_file(path,    start) {
  if (path in in_test) return 1
  for (start in test_folder) if (index(path, start) == 1) return 1
  return 0
}

function emit(is_test) {
  total[FILENAME]++
  if (is_test) tests[FILENAME]++
  else if (mode == "code" && $0 !~ /^[ \t]*\/\//) print
}

FNR == 1 {
  cfg = 0; own = ""; inside = ""
  if (pass == 2) { order[++files] = FILENAME; whole = is_test_file(FILENAME); tests[FILENAME] = 0 }
}

pass != 2 {
  if ($0 == "#[cfg(test)]") { cfg = 1; own = ""; next }
  if (cfg && /^#\[path = "/) { own = $0; sub(/^#\[path = "/, "", own); sub(/".*$/, "", own); next }
  if (cfg && /^#\[/) next
  if (cfg && /^(pub(\([a-z]+\))? )?mod [a-z0-9_]+;$/) mark_file($0, own)
  cfg = 0
  next
}

whole { emit(1); next }
inside == "" && $0 == "#[cfg(test)]" { cfg = 1; emit(1); next }
cfg {
  emit(1)
  if (/^(#\[|\/\/)/) next
  cfg = 0
  if (/;$/) next
  if (!/}$/ || /^}/) inside = /\{$/ ? "}" : ";"
  next
}
inside == "}" { emit(1); if (/^}/) inside = ""; next }
inside == ";" { emit(1); if (/;$/) inside = ""; else if (/\{$/) inside = "}"; next }
{ emit(0) }

END {
  if (mode != "count") exit
  for (i = 1; i <= files; i++) print total[order[i]] + 0, tests[order[i]], order[i]
}
