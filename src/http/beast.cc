// Boost.Beast's own code, and Asio's for TLS, compiled once here (BOOST_*_SEPARATE_COMPILATION).
#include <boost/asio/ssl/impl/src.hpp>
#include <boost/beast/src.hpp>
