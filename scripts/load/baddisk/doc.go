// Package baddisk gives tests a disk that is full and one that fails, by the system's own answers and not by ours.
//
//	baddisk.Alone(t, func() {               // the test runs again, in a process and a mount namespace of its own
//		baddisk.Mount(t, state, "8m")       // a small file system
//		empty := baddisk.Fill(t, state)     // with no room left in it
//		disk := baddisk.Watch(t)            // every sync and write of this process and its children is seen
//		disk.Answer(func(c baddisk.Call) syscall.Errno { return syscall.EIO })
//	})
//
// It needs Linux with user namespaces (or root) and seccomp's user notification (5.7 or later); where the system
// refuses them the test is skipped, with that as the reason. A call that is failed was not made. It does not promise
// what a disk does on a power cut: what the system has cached stays readable.
package baddisk
