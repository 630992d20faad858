# Becomes PID 1 of its namespaces: a system instance of systemd over a copy of the root file system that lives in memory.
# $1 an empty folder for the copy, $2 the repository, $3 the folder of units and files to lay over. Nothing of this is seen outside.
set -e
mount -t tmpfs tmpfs "$1"
mkdir "$1/upper" "$1/work" "$1/root"
mount -t overlay overlay -o "lowerdir=/,upperdir=$1/upper,workdir=$1/work" "$1/root"
cd "$1/root"
mount -t tmpfs -o mode=0755 tmpfs var/lib # what this machine keeps there is not this systemd's
mkdir -p opt/muster
mount --rbind "$2" opt/muster
cp -r "$3/." .
mount -t proc proc proc
mount --rbind /dev dev
mount -t sysfs sysfs sys
mount -t tmpfs tmpfs run
mount -t tmpfs tmpfs tmp
chmod 1777 tmp
mount -t cgroup2 cgroup2 sys/fs/cgroup
# Not chroot: in one, the kernel gives nobody a user namespace (PrivateUsers=).
mkdir -p .before
pivot_root . .before
umount -l /.before
cd /
mount --make-rshared / # as systemd itself does outside containers; credentials come by it
echo mounted
exec /usr/bin/env -i container=muster SYSTEMD_UNIT_PATH=/units SYSTEMD_LOG_TARGET=console \
  PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin /lib/systemd/systemd --system --unit=test.target
