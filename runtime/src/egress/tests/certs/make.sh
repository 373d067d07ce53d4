#!/bin/sh
# Makes the certificates of the egress tests: a private authority, and two servers signed by it.
# `good` is for good.example, localhost and 127.0.0.1, `other` for another name. The keys guard nothing.
set -e
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 36500 \
  -keyout ca.key -out ca.pem -subj "/CN=toolgate test authority" \
  -addext "basicConstraints=critical,CA:TRUE" -addext "keyUsage=critical,keyCertSign,cRLSign"
server() {
  openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$1.key" -out "$1.csr" -subj "/CN=$1"
  printf 'subjectAltName=%s\nbasicConstraints=critical,CA:FALSE\n' "$2" > "$1.ext"
  openssl x509 -req -in "$1.csr" -CA ca.pem -CAkey ca.key -CAcreateserial -days 36500 \
    -extfile "$1.ext" -out "$1.pem"
}
server good "DNS:good.example,DNS:localhost,IP:127.0.0.1"
server other "DNS:other.example"
rm -f ./*.csr ./*.ext ./*.srl ca.key
