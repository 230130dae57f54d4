// SPDX-License-Identifier: Apache-2.0
#include "certificate.h"

#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdlib.h>

#include <cstdio>
#include <filesystem>
#include <memory>
#include <stdexcept>

namespace tetragon::geturl::testing {
namespace {

void need(bool ok, const char* what) {
  if (!ok) throw std::runtime_error(std::string("certificate: ") + what);
}

template <class F>
void write(const std::string& path, F&& writer) {
  std::FILE* file = std::fopen(path.c_str(), "we");
  need(file != nullptr, "open");
  const bool ok = writer(file) == 1;
  need(std::fclose(file) == 0 && ok, "write");
}

}  // namespace

Certificate::Certificate(const std::string& alternative_names) {
  char dir[] = "/tmp/geturl_test.XXXXXX";
  need(::mkdtemp(dir) != nullptr, "mkdtemp");
  dir_ = dir;

  const std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> key(EVP_EC_gen("P-256"), EVP_PKEY_free);
  const std::unique_ptr<X509, decltype(&X509_free)> certificate(X509_new(), X509_free);
  need(key && certificate, "new");
  X509_set_version(certificate.get(), 2);
  ASN1_INTEGER_set(X509_get_serialNumber(certificate.get()), 1);
  X509_gmtime_adj(X509_getm_notBefore(certificate.get()), -3600);
  X509_gmtime_adj(X509_getm_notAfter(certificate.get()), 3600);
  X509_set_pubkey(certificate.get(), key.get());
  X509_NAME* name = X509_get_subject_name(certificate.get());
  X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, reinterpret_cast<const unsigned char*>("tetragon test"), -1, -1,
                             0);
  X509_set_issuer_name(certificate.get(), name);
  X509V3_CTX context;
  X509V3_set_ctx(&context, certificate.get(), certificate.get(), nullptr, nullptr, 0);
  for (const auto& [kind, value] : {std::pair<int, std::string>{NID_subject_alt_name, alternative_names},
                                    {NID_basic_constraints, "critical,CA:TRUE"}}) {
    const std::unique_ptr<X509_EXTENSION, decltype(&X509_EXTENSION_free)> extension(
        X509V3_EXT_conf_nid(nullptr, &context, kind, value.c_str()), X509_EXTENSION_free);
    need(extension && X509_add_ext(certificate.get(), extension.get(), -1) == 1, "extension");
  }
  need(X509_sign(certificate.get(), key.get(), EVP_sha256()) != 0, "sign");
  write(certificate_file(), [&](std::FILE* file) { return PEM_write_X509(file, certificate.get()); });
  write(key_file(),
        [&](std::FILE* file) { return PEM_write_PrivateKey(file, key.get(), nullptr, nullptr, 0, nullptr, nullptr); });
}

Certificate::~Certificate() {
  std::error_code ignored;
  std::filesystem::remove_all(dir_, ignored);
}

}  // namespace tetragon::geturl::testing
