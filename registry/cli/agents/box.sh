# Makes a file system of its own and becomes the agent in it. It runs as the root of a new user namespace, in mount,
# network, process, IPC and host name namespaces of its own.
# Arguments: an empty folder, the agent's folder, bytes of /tmp, then a line "FROM TO ro|rw" for each folder to be seen,
# then -- and the program.
set -eu
root=$1 agent=$2 room=$3
shift 3

bind() {
  mkdir -p "$root$2"
  mount --rbind "$1" "$root$2"
  if [ "$3" = ro ]; then
    mount -o remount,bind,ro,nosuid,nodev "$root$2" 2>/dev/null ||
      mount -o remount,bind,ro,nosuid,nodev,noatime "$root$2" 2>/dev/null ||
      mount -o remount,bind,ro,nosuid,nodev,noexec "$root$2"
  fi
}

mount --make-rprivate / 2>/dev/null || :
mount -t tmpfs -o mode=755,size=256k,nosuid,nodev box "$root"
bind /usr /usr ro
for name in bin sbin lib lib32 lib64; do
  if [ -L "/$name" ]; then
    ln -s "$(readlink "/$name")" "$root/$name"
  elif [ -d "/$name" ]; then
    bind "/$name" "/$name" ro
  fi
done
bind "$agent" /agent ro
mkdir -p "$root/tmp" "$root/dev" "$root/old"
mount -t tmpfs -o "mode=700,size=$room,nosuid,nodev" tmp "$root/tmp"
for name in null zero random urandom; do
  : >"$root/dev/$name"
  mount --bind "/dev/$name" "$root/dev/$name"
done
while [ "$1" != -- ]; do
  bind "$1" "$2" "$3"
  shift 3
done
shift
# What unmounts the old root reads the list of mounts, which is in the old root.
ln -s old/proc "$root/proc"
mount -o remount,bind,ro,nosuid,nodev "$root"
cd "$root"
pivot_root . old
umount -l /old
cd /agent
exec "$@"
