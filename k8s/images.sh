#!/usr/bin/env bash
# Build the images with buildah or docker, whichever is here; with PUSH=registry/prefix push them by digest.
#
#   make images                                  localhost/hilum-web:VERSION-COMMIT and the others
#   make images PUSH=localhost:5000/hilum        pushes too; the digests go to build/images.json
#   make images IMAGES="web feedback"            only these (inference, web, feedback, promoter, mlflow, training)
#   make images VARIANT=gpu IMAGES=inference     inference with ONNX Runtime for CUDA
#   make images BASE=mirror.example/python@sha256:...
set -euo pipefail
# A push that fails within $(...) is the end, too.
shopt -s inherit_errexit
cd "$(dirname "$0")/.."

images=${IMAGES:-inference web feedback promoter mlflow}
base=${BASE:-docker.io/library/python:3.11-slim-bookworm}
variant=${VARIANT:-}
version=$(sed -n 's/^__version__ = "\(.*\)"/\1/p' hilum/__init__.py)
commit=$(git rev-parse --short=12 HEAD)
# The time of the commit, not of the build: the same commit gives the same layers.
export SOURCE_DATE_EPOCH
SOURCE_DATE_EPOCH=$(git log -1 --format=%ct)
tag=${version}-${commit}${variant:+-$variant}

if command -v buildah >/dev/null; then tool=buildah
elif docker info >/dev/null 2>&1; then tool=docker
else echo "make images needs buildah or a running docker: apt-get install buildah" >&2; exit 1; fi

build() { # name, Dockerfile, further build arguments
  local name=$1 file=$2; shift 2
  # The two labels by option: buildah takes a cached LABEL of another commit where only its argument differs (seen).
  local arguments=(--build-arg "BASE=$base" --build-arg "VERSION=$version" --build-arg "COMMIT=$commit"
    --label "org.opencontainers.image.version=$version" --label "org.opencontainers.image.revision=$commit" "$@")
  if [ $tool = buildah ]; then
    buildah build --quiet --isolation "${BUILDAH_ISOLATION:-chroot}" --network host --layers \
      --timestamp "$SOURCE_DATE_EPOCH" "${arguments[@]}" -t "$name" -f "$file" .
  else
    docker build --quiet "${arguments[@]}" -t "$name" -f "$file" .
  fi >/dev/null
}

push() { # local name, remote name; prints the digest
  local digest
  if [ $tool = buildah ]; then
    digest=$(mktemp)
    buildah push --quiet --tls-verify="${TLS_VERIFY:-true}" --digestfile "$digest" "$1" "docker://$2"
    cat "$digest"; rm "$digest"
  else
    docker tag "$1" "$2" && docker push --quiet "$2" >/dev/null
    docker inspect --format '{{range .RepoDigests}}{{println .}}{{end}}' "$2" | grep "^${2%:*}@" | head -1 | cut -d@ -f2
  fi
}

mkdir -p build
found=()
for image in $images; do
  file=services/$image/Dockerfile
  [ "$image" != training ] || file=training/Dockerfile
  [ "$image" != mlflow ] || file=k8s/mlflow/Dockerfile
  [ -f "$file" ] || { echo "no image is called '$image'; there are inference, web, feedback, promoter, mlflow, training" >&2; exit 2; }
  extra=()
  if [ "$variant" = gpu ]; then extra=(--build-arg REQUIREMENTS=serve-gpu); fi
  local_name=localhost/hilum-$image:$tag
  build "$local_name" "$file" "${extra[@]}"
  if [ -n "${PUSH:-}" ]; then
    digest=$(push "$local_name" "$PUSH/$image:$tag")
    echo "$PUSH/$image@$digest"
    found+=("\"$image\": {\"repository\": \"$PUSH/$image\", \"digest\": \"$digest\"}")
  else
    echo "$local_name"
  fi
done
if [ -n "${PUSH:-}" ]; then
  (IFS=,; printf '{"commit": "%s", "images": {%s}}\n' "$(git rev-parse HEAD)" "${found[*]}") > build/images.json
fi
