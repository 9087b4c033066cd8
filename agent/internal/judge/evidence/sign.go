package evidence

import (
	"bytes"
	"errors"

	"github.com/hiddeco/sshsig"
	"golang.org/x/crypto/ssh"
)

// Namespace is what a signature is for, so that none made for another purpose passes:
// `ssh-keygen -Y verify -n buzon-evidence` takes it.
const Namespace = "buzon-evidence"

// KeyError is a key or a signature that can't be used.
type KeyError struct {
	Code KeyFault
	Why  string
}

// KeyFault is what is wrong with one.
type KeyFault string

// The faults of keys and signatures.
const (
	KeyUnreadable KeyFault = "bad-key"        // no private key of SSH
	KeyLocked     KeyFault = "locked-key"     // with a passphrase
	KeyPublic     KeyFault = "bad-signer"     // no public key of SSH
	BadSignature  KeyFault = "bad-signature"  // no signature of SSH
	OtherSigner   KeyFault = "other-signer"   // made by another key, or for another purpose
	NotTheFile    KeyFault = "not-the-signed" // the signature is of other bytes
)

func (e *KeyError) Error() string { return "evidence: " + string(e.Code) + ": " + e.Why }

// Message names the sentence of the error.
func (e *KeyError) Message() (string, []any) {
	return "evidence." + string(e.Code), []any{"why", e.Why}
}

// Sign signs a file by a private key of SSH, in the form of `ssh-keygen -Y sign`.
func Sign(file, key, passphrase []byte) ([]byte, error) {
	var signer ssh.Signer
	var err error
	if len(passphrase) > 0 {
		signer, err = ssh.ParsePrivateKeyWithPassphrase(key, passphrase)
	} else {
		signer, err = ssh.ParsePrivateKey(key)
	}
	var locked *ssh.PassphraseMissingError
	switch {
	case errors.As(err, &locked):
		return nil, &KeyError{Code: KeyLocked}
	case err != nil:
		return nil, &KeyError{Code: KeyUnreadable, Why: err.Error()}
	}
	signature, err := sshsig.Sign(bytes.NewReader(file), signer, sshsig.HashSHA512, Namespace)
	if err != nil {
		return nil, &KeyError{Code: KeyUnreadable, Why: err.Error()}
	}
	return sshsig.Armor(signature), nil
}

// Signed checks a signature against the file and the public key of its signer (a line of
// ~/.ssh/*.pub), and gives that key's fingerprint.
func Signed(file, signature, signer []byte) (fingerprint string, err error) {
	key, _, _, _, err := ssh.ParseAuthorizedKey(signer)
	if err != nil {
		return "", &KeyError{Code: KeyPublic, Why: err.Error()}
	}
	parsed, err := sshsig.Unarmor(signature)
	if err != nil {
		return "", &KeyError{Code: BadSignature, Why: err.Error()}
	}
	err = sshsig.Verify(bytes.NewReader(file), parsed, key, parsed.HashAlgorithm, Namespace)
	switch {
	case errors.Is(err, sshsig.ErrPublicKeyMismatch), errors.Is(err, sshsig.ErrNamespaceMismatch):
		return "", &KeyError{Code: OtherSigner, Why: ssh.FingerprintSHA256(parsed.PublicKey)}
	case err != nil:
		return "", &KeyError{Code: NotTheFile, Why: err.Error()}
	}
	return ssh.FingerprintSHA256(key), nil
}
