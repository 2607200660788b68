#!/bin/sh
# Runs once, when the database server of compose.yaml makes its data: the login that Natter's servers use, without any
# right of its own (`natter migrate` grants it its roles), and the two databases.
set -e
psql --quiet --no-psqlrc --set ON_ERROR_STOP=1 --set password="$DATABASE_PASSWORD" \
  --username "${POSTGRES_USER:-postgres}" --dbname postgres <<'END'
create role natter login noinherit password :'password';
create database natter_control;
create database natter_s0;
revoke connect on database natter_control, natter_s0 from public;
grant connect on database natter_control, natter_s0 to natter;
END
