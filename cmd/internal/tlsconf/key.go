package tlsconf

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/pbkdf2"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"fmt"
	"hash"
)

var errPassword = errors.New("the password is wrong")

// decryptKey returns the PEM file of a key without its encryption, if it has
// one: that of PKCS #8 as OpenSSL writes it today, or the older one of PEM.
func decryptKey(file, pass []byte) ([]byte, error) {
	for rest := file; ; {
		var b *pem.Block
		if b, rest = pem.Decode(rest); b == nil {
			return file, nil
		}
		switch {
		case b.Type == "ENCRYPTED PRIVATE KEY":
			der, err := decryptPKCS8(b.Bytes, pass)
			if err != nil {
				return nil, err
			}
			return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), nil
		case x509.IsEncryptedPEMBlock(b): //nolint:staticcheck // deprecated for new files; this reads old ones
			der, err := x509.DecryptPEMBlock(b, pass) //nolint:staticcheck // as above
			if err != nil {
				return nil, errors.Join(errPassword, err)
			}
			return pem.EncodeToMemory(&pem.Block{Type: b.Type, Bytes: der}), nil
		}
	}
}

// The structures of RFC 8018.
type (
	encryptedKey struct {
		Algorithm pkix.AlgorithmIdentifier
		Data      []byte
	}
	pbes2 struct{ Derivation, Cipher pkix.AlgorithmIdentifier }
	pbkdf struct {
		Salt       []byte
		Iterations int
		KeyLength  int                      `asn1:"optional"`
		Hash       pkix.AlgorithmIdentifier `asn1:"optional"`
	}
)

func decryptPKCS8(der, pass []byte) ([]byte, error) {
	var k encryptedKey
	var scheme pbes2
	var derivation pbkdf
	if err := unmarshal(der, &k); err != nil {
		return nil, err
	}
	if id := k.Algorithm.Algorithm.String(); id != "1.2.840.113549.1.5.13" {
		return nil, fmt.Errorf("encrypted in a way that isn't supported (%s)", id)
	}
	if err := unmarshal(k.Algorithm.Parameters.FullBytes, &scheme); err != nil {
		return nil, err
	}
	if id := scheme.Derivation.Algorithm.String(); id != "1.2.840.113549.1.5.12" {
		return nil, fmt.Errorf("the key is derived from the password in a way that isn't supported (%s)", id)
	}
	if err := unmarshal(scheme.Derivation.Parameters.FullBytes, &derivation); err != nil {
		return nil, err
	}
	var size int
	switch id := scheme.Cipher.Algorithm.String(); id {
	case "2.16.840.1.101.3.4.1.2":
		size = 16
	case "2.16.840.1.101.3.4.1.22":
		size = 24
	case "2.16.840.1.101.3.4.1.42":
		size = 32
	default:
		return nil, fmt.Errorf("encrypted with a cipher that isn't supported (%s)", id)
	}
	var iv []byte
	if err := unmarshal(scheme.Cipher.Parameters.FullBytes, &iv); err != nil {
		return nil, err
	}
	digest, err := prf(derivation.Hash.Algorithm.String())
	if err != nil {
		return nil, err
	}
	const mostIterations = 100_000_000
	if len(iv) != aes.BlockSize || len(k.Data) == 0 || len(k.Data)%aes.BlockSize != 0 ||
		derivation.Iterations < 1 || derivation.Iterations > mostIterations {
		return nil, errors.New("the encryption is malformed")
	}
	key, err := pbkdf2.Key(digest, string(pass), derivation.Salt, derivation.Iterations, size)
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	plain := make([]byte, len(k.Data))
	cipher.NewCBCDecrypter(block, iv).CryptBlocks(plain, k.Data)
	padding := int(plain[len(plain)-1])
	if padding < 1 || padding > aes.BlockSize {
		return nil, errPassword
	}
	plain = plain[:len(plain)-padding]
	if _, err := x509.ParsePKCS8PrivateKey(plain); err != nil {
		return nil, errPassword
	}
	return plain, nil
}

// prf is the hash of the key's derivation.
func prf(id string) (func() hash.Hash, error) {
	switch id {
	case "", "1.2.840.113549.2.7":
		return sha1.New, nil
	case "1.2.840.113549.2.9":
		return sha256.New, nil
	case "1.2.840.113549.2.10":
		return sha512.New384, nil
	case "1.2.840.113549.2.11":
		return sha512.New, nil
	}
	return nil, fmt.Errorf("the key is derived with a hash that isn't supported (%s)", id)
}

func unmarshal(der []byte, v any) error {
	rest, err := asn1.Unmarshal(der, v)
	if err == nil && len(rest) > 0 {
		err = errors.New("bytes behind the end")
	}
	if err != nil {
		return fmt.Errorf("the encryption is malformed: %w", err)
	}
	return nil
}
