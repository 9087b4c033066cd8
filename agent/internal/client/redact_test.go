package client

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"strings"
	"testing"
)

func TestTheSecondLineLetsNoSecretPass(t *testing.T) {
	secrets := &Secrets{}
	secrets.Hide(testSecret, "tok/en+tok/en+tok/en==", "short")
	var out bytes.Buffer
	log := slog.New(NewRedactor(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelDebug}), secrets))
	half := testSecret[:len(testSecret)/2]
	log = log.With("subject", testSecret).WithGroup("g")
	log.Debug("message "+testSecret,
		"error", fmt.Errorf("wrapped: %w", errors.New(testSecret)),
		"url", "https://h/?X-Amz-Signature=0123456789abcdef&x="+url.QueryEscape(testSecret),
		"header", "Authorization: AWS4-HMAC-SHA256 Credential=AKIA/x, Signature=0123456789abcdef",
		"map", map[string]string{"k": testSecret},
		"encoded", base64.StdEncoding.EncodeToString([]byte(testSecret)),
		"half", half, "n", 7,
		slog.Group("deep", "token", "tok/en+tok/en+tok/en=="),
		"file", "aws_secret_access_key = abcdefghijkl", "json", `{"SecretAccessKey": "zyxwvutsrq", "SessionToken":"qqqqqqqqq"}`,
		"id", testID)
	text := out.String()
	for _, not := range []string{
		testSecret, url.QueryEscape(testSecret), half, testSecret[len(testSecret)/2:], "tok/en",
		base64.StdEncoding.EncodeToString([]byte(testSecret)), "0123456789abcdef", "abcdefghijkl", "zyxwvutsrq", "qqqqqqqqq", testID,
	} {
		if strings.Contains(text, not) {
			t.Errorf("%q passed: %s", not, text)
		}
	}
	for _, yes := range []string{"n=7", "…WXYZ", "wrapped"} {
		if !strings.Contains(text, yes) {
			t.Errorf("%q is missing: %s", yes, text)
		}
	}
}

func TestOrdinaryTextIsLeftAlone(t *testing.T) {
	var none *Secrets
	for _, text := range []string{"read journal: no such file", "https://bucket.s3.amazonaws.com/uploads/a?partNumber=1", "the session ended at 12:00"} {
		if got := none.Redact(text); got != text {
			t.Errorf("%q became %q", text, got)
		}
	}
}
