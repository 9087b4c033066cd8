package gate

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"buzon/agent/internal/client"
	"buzon/scripts/load/s3server"
)

// rotated is a gate that passed with one key, and finds another in the file.
func rotated(t *testing.T, o s3server.Options, newKey time.Duration) (*place, *Gate, s3server.Identity) {
	p := at(t, o)
	s := settings()
	s.NewKey = newKey
	g := p.gate(s)
	passed(t, g.Pass(t.Context(), Quick))
	second := s3server.Identity{ARN: vm01, UserID: "AIDAUPLOADER00000001", AccessKey: "AKIAUPLOADER00000002", Secret: "second-secret"}
	p.key(second)
	return p, g, second
}

func TestTheOldKeyGoesOnWhileTheNewOneIsNotYetKnown(t *testing.T) {
	p, g, second := rotated(t, s3server.Options{}, 10*time.Millisecond)
	r := g.Pass(t.Context(), Quick)
	passed(t, r)
	if r.Source.Key != "0001" || g.AWS().KeyID() != s3server.Uploader.AccessKey {
		t.Errorf("%s is in use:\n%s", r.Source.Key, show(r))
	}
	if !slices.ContainsFunc(r.Checks, func(c Check) bool {
		return c.Outcome == NewKeyUnknown && c.Status == Warning && c.Args["key"] == "0002" && c.Args["old"] == "0001"
	}) {
		t.Errorf("the new key is not spoken of:\n%s", show(r))
	}
	if wait := g.next(time.Now()); wait > 10*time.Millisecond {
		t.Errorf("the new key is tried again only in %s", wait)
	}
	p.server.SetIdentities(second)
	passed(t, g.Pass(t.Context(), Quick))
	if g.AWS().KeyID() != second.AccessKey || g.next(time.Now()) < time.Minute {
		t.Error("the new key is not in use")
	}
}

func TestANewKeyThatNobodyKnowsIsRefusedOnceTheOldOneIsGone(t *testing.T) {
	p, g, _ := rotated(t, s3server.Options{}, 10*time.Millisecond)
	p.server.SetIdentities()
	failed(t, g.Pass(t.Context(), Quick), KeyUnknown)
	p.key(s3server.Uploader)
	failed(t, g.Pass(t.Context(), Quick), KeyRevoked)
}

func TestANewKeyIsTriedAgainUntilItIsKnown(t *testing.T) {
	t.Run("STS learns of it late", func(t *testing.T) {
		h := &heard{}
		p, g, second := rotated(t, s3server.Options{Fault: h.hear}, time.Minute)
		asked := 0
		h.mu.Lock()
		h.fault = func(*s3server.Call) s3server.Fault {
			if asked++; asked == 2 { // the first try is answered; then everybody knows
				p.server.SetIdentities(second)
			}
			return s3server.Fault{}
		}
		h.mu.Unlock()
		passed(t, g.Pass(t.Context(), Quick))
		if g.AWS().KeyID() != second.AccessKey {
			t.Error("the new key is not in use")
		}
	})
	t.Run("S3 learns of it late", func(t *testing.T) {
		h := &heard{}
		p, g, second := rotated(t, s3server.Options{Fault: h.hear}, time.Minute)
		p.server.SetIdentities(s3server.Uploader, second)
		late := 0
		h.mu.Lock()
		h.fault = func(c *s3server.Call) s3server.Fault {
			if c.Op == s3server.PutObject && late < 1 {
				late++
				return s3server.Fault{Name: s3server.UnknownKey}
			}
			return s3server.Fault{}
		}
		h.mu.Unlock()
		passed(t, g.Pass(t.Context(), Quick))
		if g.AWS().KeyID() != second.AccessKey || late != 1 {
			t.Error("the new key is not in use")
		}
	})
}

func TestTheKeyThatPassedIsTheOneThatIsUsed(t *testing.T) {
	p := at(t, s3server.Options{})
	if err := os.Remove(p.file); err != nil {
		t.Fatal(err)
	}
	ends := time.Now().Add(time.Hour).UTC().Format(time.RFC3339)
	t.Chdir(t.TempDir())
	// A source that gives another key each time it is asked.
	script := `n=$(cat n 2>/dev/null || echo 0); n=$((n+1)); echo $n >n; printf "{\"Version\":1,\"AccessKeyId\":\"ASIASESSION00000000$n\",\"SecretAccessKey\":\"session-secret\",\"SessionToken\":\"token\",\"Expiration\":\"` + ends + `\"}"`
	if err := os.WriteFile("give", []byte(script), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(os.Getenv("AWS_CONFIG_FILE"), []byte("[default]\ncredential_process = sh give\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	var ids []s3server.Identity
	for n := range 3 {
		ids = append(ids, s3server.Identity{ARN: vm01, AccessKey: fmt.Sprintf("ASIASESSION00000000%d", n+1), Secret: "session-secret", Token: "token"})
	}
	p.server.SetIdentities(ids...)
	g := p.gate(settings())
	passed(t, g.Pass(t.Context(), Quick))
	for range 2 {
		value, err := g.AWS().Config.Credentials.Retrieve(t.Context())
		if err != nil || value.AccessKeyID != ids[0].AccessKey || !value.CanExpire {
			t.Fatalf("%s, %v", value.AccessKeyID, err)
		}
	}
	if wait := g.next(time.Now()); wait > 55*time.Minute || wait < 45*time.Minute {
		t.Errorf("it is fetched anew in %s, and ends in an hour", wait)
	}
	if wait := g.next(time.Now().Add(58 * time.Minute)); wait != endsSoon {
		t.Errorf("shortly before its end it is fetched anew in %s", wait)
	}
	passed(t, g.Pass(t.Context(), Quick))
	if g.AWS().KeyID() != ids[1].AccessKey {
		t.Error("a pass fetches the credentials anew")
	}
}

func TestWatchSaysThatAFileChanged(t *testing.T) {
	p := at(t, s3server.Options{})
	g := p.gate(settings())
	passed(t, g.Pass(t.Context(), Quick))
	due := make(chan Depth)
	go g.Watch(t.Context(), func(d Depth) {
		select {
		case due <- d:
		case <-t.Context().Done():
		}
	})
	second := s3server.Identity{ARN: vm01, AccessKey: "AKIAUPLOADER00000002", Secret: "second-secret"}
	p.server.SetIdentities(second)
	waitFor := time.After(20 * time.Second)
	for g.AWS().KeyID() != second.AccessKey {
		p.key(second) // again, for Watch may have begun after the last time
		select {
		case d := <-due:
			passed(t, g.Pass(t.Context(), d))
		case <-time.After(time.Second):
		case <-waitFor:
			t.Fatal("nobody said that the file changed")
		}
	}
}

func TestLoadedKeysAreHidden(t *testing.T) {
	at(t, s3server.Options{})
	secrets := &client.Secrets{}
	g := New(settings(), client.Settings{Region: "us-east-1", Secrets: secrets}, nil)
	passed(t, g.Pass(t.Context(), Quick))
	if got := secrets.Redact("x uploader-secret y"); strings.Contains(got, "uploader") {
		t.Error(got)
	}
}
