package upload

import (
	"bufio"
	"bytes"
	"context"
	"net"
	"net/textproto"
	"strconv"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"buzon/agent/internal/client"
)

// cheap answers 200 to every request over loopback for as good as nothing, so that what is measured is the client.
func cheap(b *testing.B) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { l.Close() })
	answer := []byte("HTTP/1.1 200 OK\r\nEtag: \"x\"\r\nContent-Length: 0\r\n\r\n")
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				r := bufio.NewReader(c)
				for {
					length := 0
					for {
						line, err := r.ReadSlice('\n')
						if err != nil {
							return
						}
						if len(line) == 2 {
							break
						}
						name, value, _ := bytes.Cut(line, []byte(": "))
						if bytes.EqualFold(name, []byte("Content-Length")) {
							length, _ = strconv.Atoi(textproto.TrimString(string(value))) // a test's own client
						}
					}
					if _, err := r.Discard(length); err != nil {
						return
					}
					if _, err := c.Write(answer); err != nil {
						return
					}
				}
			}()
		}
	}()
	return "http://" + l.Addr().String()
}

// The two ways to send one small file; docs/decisions/hot-put.md shows the profiles. Run with -benchmem.
func BenchmarkPut4KiB(b *testing.B) {
	b.Setenv("AWS_ENDPOINT_URL", cheap(b))
	b.Setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
	b.Setenv("AWS_SECRET_ACCESS_KEY", "of-no-use")
	b.Setenv("AWS_REGION", "us-east-1")
	a, err := client.Load(b.Context(), client.Settings{Version: "test"})
	if err != nil {
		b.Fatal(err)
	}
	content := data(4096)
	send := func(b *testing.B, put func(ctx context.Context) error) {
		b.ReportAllocs()
		for b.Loop() {
			if err := put(b.Context()); err != nil {
				b.Fatal(err)
			}
		}
	}
	b.Run("upload", func(b *testing.B) {
		u := New(a, Options{})
		send(b, func(ctx context.Context) error {
			_, err := u.Send(ctx, job("uploads/vm-01/x", content), nil)
			return err
		})
	})
	b.Run("service-s3", func(b *testing.B) {
		send(b, func(ctx context.Context) error {
			_, err := a.S3.PutObject(ctx, &s3.PutObjectInput{
				Bucket: aws.String(inbox), Key: aws.String("uploads/vm-01/x"), Body: bytes.NewReader(content), IfNoneMatch: aws.String("*"),
				ContentLength: aws.Int64(int64(len(content))), ChecksumAlgorithm: types.ChecksumAlgorithmCrc64nvme, ContentType: aws.String("text/plain"),
				ExpectedBucketOwner: aws.String("111122223333"), Metadata: map[string]string{"source-path": "a b/c.txt"},
			})
			return err
		})
	})
}
