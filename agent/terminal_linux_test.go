package main

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"buzon/scripts/load/s3server"
)

// pseudoterminal is a terminal of 100 columns: what is shown on it can be read from the first.
func pseudoterminal(t *testing.T) (shown, screen *os.File) {
	t.Helper()
	shown, err := os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Skipf("no pseudo-terminal here: %v", err)
	}
	t.Cleanup(func() { _ = shown.Close() })
	n, err := unix.IoctlGetUint32(int(shown.Fd()), unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(int(shown.Fd()), unix.TIOCSPTLCK, 0)
	}
	if err == nil {
		screen, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|syscall.O_NOCTTY, 0)
	}
	if err == nil {
		err = unix.IoctlSetWinsize(int(shown.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: 30, Col: 100})
	}
	if err != nil {
		t.Skipf("no pseudo-terminal here: %v", err)
	}
	return shown, screen
}

func TestABarIsShownOnATerminalAlone(t *testing.T) {
	v := newVM(t, s3server.Options{}, "limits:\n  bandwidth: 1MiB/s\n")
	for i := range 5 {
		v.write(fmt.Sprintf("%d.bin", i), noise(uint64(i), 1<<20))
	}
	shown, screen := pseudoterminal(t)
	cmd, out := v.command("", "upload", "--config", v.path("agent.yaml"), v.path("out"))
	cmd.Stderr = screen
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if err := screen.Close(); err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	buf := make([]byte, 4096)
	for {
		n, err := shown.Read(buf)
		text.Write(buf[:n])
		if err != nil {
			if !errors.Is(err, syscall.EIO) { // its last writer is gone
				t.Error(err)
			}
			break
		}
	}
	if err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"of 5 files", "of 5 MiB", "iB/s", "left", "["} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("no %q on the screen:\n%q", want, text.String())
		}
	}
	if strings.Contains(text.String(), " ms") {
		t.Errorf("less than a second is left on the screen:\n%q", text.String())
	}
	if got := out.String(); !strings.HasPrefix(got, "Sent 5 files, 5 MiB") || strings.Contains(got, "\x1b") {
		t.Errorf("standard output holds:\n%s", got)
	}
	v.write("6.bin", noise(6, 1<<20))
	code, both := v.upload("") // neither is a terminal
	if code != 0 || strings.Contains(both, "\x1b") || strings.Contains(both, "[") {
		t.Errorf("%d\n%s", code, both)
	}
}
