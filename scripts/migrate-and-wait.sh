#!/bin/sh
# Starts a migration on a Keyferry app, waits for its end, and says by its exit code how it ended. For pipelines: needs
# nothing but curl and jq.
#
# Exit codes: 0 completed, 1 finished with differences, 2 wrong usage or a request that the app refuses as wrong,
# 3 failed, cancelled, or not to be reached.

set -eu

usage() {
  cat <<'USAGE'
Usage: migrate-and-wait.sh --url URL (--source NAME --target NAME | --request FILE) [options]

  --url URL          of the app, for example https://func-abc.azurewebsites.net (or set KEYFERRY_URL)
  --source NAME      connection to copy from
  --target NAME      connection to copy to
  --request FILE     the whole request as JSON, for filters, renames and the rest
  --request-id ID    a repeated call with it waits for the same migration and starts nothing new
                     (default: made of the run's number on GitHub and Azure Pipelines, otherwise a random one)
  --findings NUMBER  how many findings are shown where there are differences (default 10)
  --output FILE      write the final document there, as JSON
  --timeout SECONDS  stop waiting after that long; the migration goes on (default 0: wait for ever)
  --retries NUMBER   how many times in a row a call is repeated when nobody answers (default 8)
  --help

Secrets come from the environment: KEYFERRY_KEY, the function key; KEYFERRY_TOKEN, a token of Entra ID where App Service
Authentication stands in front of the app.
USAGE
}

# In UTF-8, what steers a terminal, turns the direction of writing, ends a line or cannot be seen: U+0080 to 9F, AD, 61C,
# 200B to 200F, 2028 to 202E, 2060 to 206F, FEFF, FFF9 to FFFB, E0000 to E007F.
unseen=$(printf '\302[\200-\237\255]|\330\234|\342\200[\213-\217\250-\256]|\342\201[\240-\257]')
unseen=$unseen$(printf '|\357\273\277|\357\277[\271-\273]|\363\240[\200-\201][\200-\277]')

# What comes from the app may have a key's name in it, and a key's name may be anything: no such characters and no
# commands of GitHub or Azure Pipelines (##vso[ and ##[ anywhere, :: at the beginning of a line) get through to the log.
harmless() {
  LC_ALL=C tr -d '\000-\010\013-\037\177' |
    LC_ALL=C sed -E -e "s/$unseen//g" -e 's/##/# #/g' -e 's/^([[:space:]]*)::/\1: :/'
}

say() {
  printf '%s\n' "$*" | harmless
}

complain() {
  printf '%s\n' "$*" | harmless >&2
}

wrong_usage() {
  complain "migrate-and-wait: $*"
  complain 'migrate-and-wait: see --help'
  exit 2
}

give_up() {
  complain "migrate-and-wait: $*"
  exit 3
}

is_number() {
  case $1 in '' | *[!0-9]*) return 1 ;; esac
  [ "${#1}" -le 9 ]
}

url=${KEYFERRY_URL:-}
source=
target=
request=
request_id=
findings=10
output=
timeout=0
retries=8

while [ $# -gt 0 ]; do
  case $1 in
    --help)
      usage
      exit 0
      ;;
    --url | --source | --target | --request | --request-id | --findings | --output | --timeout | --retries)
      [ $# -ge 2 ] || wrong_usage "$1 needs a value"
      case $1 in
        --url) url=$2 ;;
        --source) source=$2 ;;
        --target) target=$2 ;;
        --request) request=$2 ;;
        --request-id) request_id=$2 ;;
        --findings) findings=$2 ;;
        --output) output=$2 ;;
        --timeout) timeout=$2 ;;
        --retries) retries=$2 ;;
      esac
      shift 2
      ;;
    *) wrong_usage "unknown argument $1" ;;
  esac
done

for tool in curl jq; do
  command -v "$tool" >/dev/null 2>&1 || wrong_usage "$tool is not installed"
done
[ -n "$url" ] || wrong_usage 'no --url and no KEYFERRY_URL'
case $url in
  https://*) ;;
  http://localhost | http://localhost[:/]* | http://127.0.0.1 | http://127.0.0.1[:/]* | 'http://[::1]'*) ;;
  http://*) wrong_usage 'the key would go over the network unencrypted: only https, or http to this machine' ;;
  *) wrong_usage '--url must begin with https://' ;;
esac
url=${url%/}
url=${url%/api}
is_number "$findings" || wrong_usage '--findings must be a number'
[ "$findings" -le 1000 ] || wrong_usage '--findings must be 1000 at most'
is_number "$timeout" || wrong_usage '--timeout must be a number of seconds'
is_number "$retries" || wrong_usage '--retries must be a number'
if [ -n "$request" ]; then
  [ -z "$source$target" ] || wrong_usage '--request has source and target in it'
  [ -r "$request" ] || wrong_usage "cannot read $request"
  jq -e 'type == "object"' "$request" >/dev/null 2>&1 || wrong_usage "$request is no JSON object"
else
  if [ -z "$source" ] || [ -z "$target" ]; then wrong_usage 'needs --source and --target, or --request'; fi
fi

# With a request id a POST whose answer was lost can be repeated: it finds the migration that it has started.
if [ -z "$request_id" ]; then
  if [ -n "${GITHUB_RUN_ID:-}" ]; then
    request_id="github-$GITHUB_RUN_ID-${GITHUB_RUN_ATTEMPT:-1}-${GITHUB_JOB:-job}"
  elif [ -n "${BUILD_BUILDID:-}" ]; then
    request_id="azure-$BUILD_BUILDID-${SYSTEM_STAGEATTEMPT:-1}-${SYSTEM_JOBATTEMPT:-1}-${SYSTEM_JOBNAME:-job}"
  else
    request_id="call-$(od -An -N12 -tx1 /dev/urandom | tr -d ' \n')"
  fi
  # Two calls with other sources and targets in one run are two migrations.
  request_id="$request_id-$(cksum <"${request:-/dev/null}" | tr ' ' '-')-$source-$target"
  request_id=$(printf '%s' "$request_id" | tr -c 'A-Za-z0-9_.:-' '-' | cut -c1-128)
fi

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# The key goes to curl through a pipe, never through arguments that every process of the machine can see.
secrets() {
  if [ -n "${KEYFERRY_KEY:-}" ]; then
    printf 'header = "x-functions-key: %s"\n' "$(quoted "$KEYFERRY_KEY")"
  fi
  if [ -n "${KEYFERRY_TOKEN:-}" ]; then
    printf 'header = "authorization: Bearer %s"\n' "$(quoted "$KEYFERRY_TOKEN")"
  fi
}

quoted() {
  printf '%s' "$1" | tr -d '\r\n' | sed 's/[\\"]/\\&/g'
}

# call METHOD PATH [BODY-FILE]: sets $status (000 where nobody answered); the answer is in $folder/body.
call() {
  : >"$folder/body"
  : >"$folder/headers"
  : >"$folder/said"
  set -- "$1" "$url/api/$2" "${3:-}"
  status=$(
    secrets | curl --config - --silent --show-error --connect-timeout 20 --max-time 240 \
      --request "$1" ${3:+--header 'content-type: application/json' --data-binary "@$3"} \
      --dump-header "$folder/headers" --output "$folder/body" --write-out '%{http_code}' -- "$2" 2>"$folder/said"
  ) || status=000
}

# The error in the app's own words; nothing where the answer is not the app's.
error_of_app() {
  jq -r '.error? | objects | select(.code) | "\(.code): \(.message)", (.details[]? | "  \(.path): \(.message)")' "$folder/body" 2>/dev/null || :
}

# What the app says of an error, or else what curl says, or else the status.
explanation() {
  said=$(error_of_app)
  [ -n "$said" ] || said=$(cat "$folder/said")
  printf '%s\n' "${said:-answered with $status}"
}

retry_after() {
  seconds=$(sed -n 's/^[Rr][Ee][Tt][Rr][Yy]-[Aa][Ff][Tt][Ee][Rr]:[[:space:]]*\([0-9]\{1,6\}\)[[:space:]]*$/\1/p' "$folder/headers" | tail -n 1)
  [ -n "$seconds" ] || seconds=$1
  [ "$seconds" -ge 1 ] || seconds=1
  [ "$seconds" -le 60 ] || seconds=60
  echo "$seconds"
}

# Repeats a call as long as nobody answers or the answer is one of a server in trouble.
persistent_call() {
  attempt=0
  while :; do
    call "$@"
    case $status in
      2*) return 0 ;;
      000 | 408 | 429 | 5*)
        # The app itself says why it does not start: a Redis that cannot be reached will not come by asking again.
        if [ "$1" = POST ] && [ -n "$(error_of_app)" ]; then return 1; fi
        ;;
      *) return 1 ;;
    esac
    attempt=$((attempt + 1))
    [ "$attempt" -le "$retries" ] || return 1
    pause=$(retry_after $((attempt < 5 ? attempt * 2 : 15)))
    complain "no useful answer ($status), again in $pause s: $(explanation | head -n 1)"
    sleep "$pause"
  done
}

if [ -n "$request" ]; then
  jq --arg id "$request_id" '.requestId //= $id' "$request" >"$folder/request"
else
  jq -n --arg source "$source" --arg target "$target" --arg id "$request_id" \
    '{ source: $source, target: $target, requestId: $id }' >"$folder/request"
fi

if ! persistent_call POST migrations "$folder/request"; then
  complain "The migration was not started: $(explanation)"
  case $status in
    400) exit 2 ;;
    401 | 403) give_up 'is KEYFERRY_KEY the function key of this app, and KEYFERRY_TOKEN set where it asks for one?' ;;
    *) exit 3 ;;
  esac
fi
id=$(jq -r '.id // empty' "$folder/body" 2>/dev/null) || id=
case $id in
  '' | *[!A-Za-z0-9_.-]*) give_up "this is no Keyferry app: it answered $status without an id" ;;
esac
say "Migration $id is under way."

started=$(date +%s)
last=
while :; do
  if [ "$timeout" -gt 0 ] && [ $(($(date +%s) - started)) -ge "$timeout" ]; then
    give_up "not at its end after $timeout s; it goes on: GET $url/api/migrations/$id"
  fi
  persistent_call GET "migrations/$id" ||
    give_up "the state of migration $id cannot be read: $(explanation)"
  line=$(
    jq -r '"\(.state)\(if .progress.phase == null or .finishedAt != null then "" else " (\(.progress.phase))" end): \(.progress.percent) % of \(.source.keysAtStart // "unknown") keys, \(.progress.keysPerSecond) keys/s, "
      + "ranges \(.progress.ranges.done)/\(.progress.ranges.total)"
      + (if .progress.etaSeconds == null then "" else ", \(.progress.etaSeconds) s left" end)' "$folder/body"
  ) || give_up 'the answer is not the state of a migration'
  state=$(jq -r .state "$folder/body")
  if [ "$line" != "$last" ]; then say "$(date -u +%H:%M:%S) $line"; fi
  last=$line
  case $state in
    planned | running | verifying) sleep "$(retry_after 2)" ;;
    *) break ;;
  esac
done

if [ -n "$output" ]; then cp "$folder/body" "$output"; fi
cp "$folder/body" "$folder/report"
say "$(
  jq -r '"source keys \(.tally.sourceKeys // "unknown"), accounted for \(.tally.accountedKeys), target keys \(.tally.targetKeys // "unknown")",
    "copied \(.counts.copied), converted \(.counts.converted), expired \(.counts.expired), "
      + "skipped \(.counts.skippedByFilter + .counts.skippedByConflict), failed \(.counts.failed), findings \(.findings)",
    (.tally.verdict // empty), (.cause // empty), (.warnings[]? | "warning: \(.)")' "$folder/report"
)"

if [ "$state" != completed ] && [ "$findings" -gt 0 ] && [ "$(jq -r '.findings // 0' "$folder/report")" -gt 0 ]; then
  if persistent_call GET "migrations/$id/findings?limit=$findings"; then
    say "The first findings:"
    say "$(
      jq -r '.findings[] | "  database \(.database), key \(.key | tojson)"
        + (if .encoding == "utf8" then "" else " (\(.encoding))" end) + ": \(.code): \(.message)"' "$folder/body"
    )"
  else
    complain "The findings cannot be read: $(explanation)"
  fi
fi

case $state in
  completed) say 'Completed: nothing is missing.' ;;
  completedWithDifferences)
    complain 'Finished with differences.'
    exit 1
    ;;
  *)
    complain "The migration ended as $state."
    exit 3
    ;;
esac
