#!/bin/sh
# Entry point of the images lambda/python, lambda/node and lambda/provided. As with AWS's base images the command is a handler,
# CMD ["app.handler"]; a command that names a program (CMD ["python3", "server.py"]) is run as it is.
if [ $# -eq 0 ]; then
  set -- "${_HANDLER:-}"
fi
if [ $# -gt 1 ] || command -v "$1" >/dev/null 2>&1; then
  exec "$@"
fi
export _HANDLER="$1"
case ${LAMBDA_RUNTIME_FAMILY:-} in
  python) exec /usr/bin/python3 -s /var/runtime/bootstrap.py ;;
  node) exec /var/lang/bin/node /var/runtime/bootstrap.mjs ;;
esac
for program in /var/runtime/bootstrap /var/task/bootstrap /opt/bootstrap; do
  [ -x "$program" ] && exec "$program"
done
echo "Couldn't find valid bootstrap(s): [/var/task/bootstrap /opt/bootstrap]" >&2
exit 127
