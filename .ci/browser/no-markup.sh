#!/usr/bin/env bash
# Fails where the page could turn text into markup or code, or load anything from elsewhere.
set -euo pipefail
cd "$(dirname "$0")/../../pv-http/ui"

mapfile -t modules < <(find js -name '*.js' | sort)
[[ -f js/main.js && ${#modules[@]} -gt 1 ]]

found=0
# forbid WHAT PATTERN FILES...: shows each line that matches.
forbid() {
    local what=$1 pattern=$2
    shift 2
    if grep -nE "$pattern" "$@"; then
        echo "FORBIDDEN above: $what" >&2
        found=1
    fi
}

forbid "text that becomes markup" \
    'innerHTML|outerHTML|insertAdjacentHTML|document\.write|createContextualFragment|setHTML|DOMParser|srcdoc' "${modules[@]}" index.html
forbid "text that becomes code" '\beval\(|new Function|setTimeout\(["'\''`]|setInterval\(["'\''`]|javascript:' "${modules[@]}" index.html
forbid "styles from markup" 'setAttribute\(["'\''`]style|cssText' "${modules[@]}"
forbid "streams that cannot carry a token, and other ways out" 'new (EventSource|XMLHttpRequest|WebSocket)|sendBeacon|importScripts' "${modules[@]}"
forbid "inline script or style, or an attribute that is one" '<style|<script[^>]*>[^<]|<script(>| type="module">)|[[:space:]]style=|[[:space:]]on[a-z]+=' index.html
forbid "anything from elsewhere" '(src|href)="(https?:)?//' index.html
forbid "anything from elsewhere" '@import|url\(' css/*.css
[[ $found -eq 0 ]]
echo "no text becomes markup, and nothing comes from elsewhere"
