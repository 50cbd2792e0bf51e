#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Goal: the examples of hooks do what they say, with clients that only pretend: PostgreSQL gets its
# checkpoint; the session that holds MySQL's lock lives from freeze to thaw, and what goes wrong is said.
hooks=$(realpath "${srcdir:-.}/contrib/hooks")
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
export PATH=$dir:$PATH RUN=$dir WAIT=2 HOLD=600 FAKE=
bad=0

check() # WHAT COMMAND...
{
	local what=$1

	shift
	"$@" || { echo "NOT OK: $what"; bad=1; }
}

said() # the log of the clients since the last call is just this
{
	[ "$(cat "$dir/log" 2>/dev/null)" = "$1" ] || { echo "said: $(cat "$dir/log")"; : >"$dir/log"; return 1; }
	: >"$dir/log"
}

cat >"$dir/psql" <<'END'
#!/bin/sh
echo "psql $*" >>"${0%/*}/log"
[ "$FAKE" != fails ]
END
cat >"$dir/mysql" <<'END'
#!/bin/sh
# as mysql --batch --unbuffered: what standard input says, line by line
[ "$FAKE" != fails ] || { echo "ERROR 2002 (HY000): no server" >&2; exit 1; }
[ "$3" != -e ] || { echo "$VERSION"; exit; }
while read -r line; do
	echo "$line" >>"${0%/*}/log"
	[ "$line" != "SELECT 'held';" ] || echo held
	[ "$FAKE" != dies ] || [ "$line" != "SELECT 'held';" ] || exec sleep 2
done
echo bye >>"${0%/*}/log"
END
ln -s mysql "$dir/mariadb"
chmod 755 "$dir/psql" "$dir/mysql"

export SRSYNC_PARTNERSHIP=web PSQL=psql
check "a checkpoint" "$hooks/postgresql" freeze web
check "with a limit" said "psql -X -A -t -q -v ON_ERROR_STOP=1 -c SET statement_timeout = '20s' -c CHECKPOINT postgres"
check "nothing to thaw" "$hooks/postgresql" thaw web
check "nothing said" said ""
check "a checkpoint that fails stops no cut" env FAKE=fails "$hooks/postgresql" freeze web 2>/dev/null
check "another partnership" env PARTNERSHIPS="mail db" "$hooks/mysql" freeze web

for v in 8.0.35:"FLUSH TABLES WITH READ LOCK;" 10.3.1-MariaDB:"FLUSH TABLES WITH READ LOCK;" \
	10.11.4-MariaDB-1~deb12u1:"BACKUP STAGE START; BACKUP STAGE BLOCK_COMMIT;"; do
	: >"$dir/log"
	export VERSION=${v%%:*}
	check "$v: freeze" "$hooks/mysql" freeze web
	check "$v: held" said "SET SESSION lock_wait_timeout = 2;
${v#*:}
SELECT 'held';"
	check "$v: thaw" "$hooks/mysql" thaw web
	check "$v: the session ended by itself" said bye
	check "$v: nothing is left" test ! -e "$dir/srsync-mysql.web"
done

check "no server" eval '! FAKE=fails "$hooks/mysql" freeze web >"$dir/out" 2>&1'
check "no server: said" grep -q "no server" "$dir/out"
check "thaw after that" "$hooks/mysql" thaw web
: >"$dir/log"
check "the session dies" env FAKE=dies "$hooks/mysql" freeze web
until [ ! -e "$dir/srsync-mysql.web/out" ] || grep -qx ended "$dir/srsync-mysql.web/out"; do sleep 0.1; done
check "the session died: thaw says so" eval '! "$hooks/mysql" thaw web >"$dir/out"'
check "in words" grep -q "the session that held the lock is ended" "$dir/out"
[ $bad = 0 ] && echo "the examples of hooks work"
exit $bad
